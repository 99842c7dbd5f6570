// The buffers of all packs of one snapshot: a fixed number, used again and again, because touching fresh memory costs as much as encrypting into it.

import { PACK_BUFFER_BYTES } from './pack.ts';

/** All buffers together, however many workers and however slow the stores. */
const MEMORY_BYTES = 4 * PACK_BUFFER_BYTES;

export class PackBuffers {
  readonly #sizeBytes: number;
  readonly #free: ArrayBuffer[] = [];
  readonly #waiting: ((buffer: ArrayBuffer) => void)[] = [];
  #unmade: number;

  /** The more there are, the smaller they are: up to four are of the full size. */
  constructor(count: number) {
    this.#unmade = count;
    this.#sizeBytes = Math.min(PACK_BUFFER_BYTES, Math.floor(MEMORY_BYTES / count));
  }

  /** `take` gets one as soon as there is one. */
  ask(take: (buffer: ArrayBuffer) => void): void {
    this.#waiting.push(take);
    this.#serve();
  }

  /** `undefined`: somebody may still read it, and another takes its place. One that had to grow is not kept. */
  giveBack(buffer: ArrayBuffer | undefined): void {
    if (buffer?.byteLength === this.#sizeBytes) this.#free.push(buffer);
    else this.#unmade++;
    this.#serve();
  }

  #serve(): void {
    while (this.#waiting.length > 0 && (this.#free.length > 0 || this.#unmade > 0)) {
      const buffer = this.#free.pop() ?? this.#make();
      this.#waiting.shift()?.(buffer);
    }
  }

  #make(): ArrayBuffer {
    this.#unmade--;
    return new ArrayBuffer(this.#sizeBytes);
  }
}
