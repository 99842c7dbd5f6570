// Numbers and bytes that look random and are the same for the same seed on every machine.

import { createCipheriv, createHash } from 'node:crypto';

export class Random {
  readonly #key: Buffer;
  #state: number;

  constructor(seed: string) {
    this.#key = createHash('sha256').update(seed).digest();
    this.#state = this.#key.readUInt32LE(0);
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  /** Early ones far more often than late ones, as words are in any text. */
  pickSkewed<T>(from: readonly T[]): T {
    return from[Math.floor(this.next() ** 3 * from.length)] as T;
  }

  /** A number of the standard normal distribution (Box–Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** Bytes that nothing compresses; always the same ones for a seed, whatever was drawn before. */
  bytes(length: number): Buffer {
    return createCipheriv('aes-256-ctr', this.#key, Buffer.alloc(16)).update(Buffer.alloc(length));
  }
}
