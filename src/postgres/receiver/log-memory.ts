// Memory for log on its way to the copies, of all databases of a process together: whoever needs more than there is waits for its turn.

import { HoldfastError } from '../../errors/index.ts';

/** What a whole worker may take is 512 MiB: half of it is left to threads, stores and everything else. */
const LIMIT_BYTES = 256 * 1024 ** 2;
/** What is no longer than this is neither counted nor kept: an idle database never waits for a busy one. */
const SMALL_BYTES = 64 * 1024;

/** Memory that one piece may use, plain and sealed. */
export interface Room {
  /** For the plain bytes, no more than was asked for; threads see it too. Once. */
  buffer(lengthBytes: number): Buffer;
  /** It is sealed: no more than this is needed beside the plain bytes. */
  settle(sealedBytes: number): void;
  /** `reusable`: nobody reads the plain bytes any more; else they are left to the collector. Once; then it changes nothing. */
  release(reusable: boolean): void;
}

interface Waiting {
  readonly sizeBytes: number;
  readonly resolve: (room: Room) => void;
}

/** What one copy may use: a store that hangs keeps only its own part of the memory, and never the others waiting. */
interface Share {
  readonly limitBytes: number;
  usedBytes: number;
  readonly waiting: Waiting[];
}

export class LogMemory {
  readonly #shareBytes: number;
  readonly #limitBytes: number;
  readonly #shares = new Map<string, Share>();
  /** By size: touching fresh memory costs as much as hashing into it. */
  readonly #free = new Map<number, SharedArrayBuffer[]>();
  #freeBytes = 0;
  #usedBytes = 0;

  /** `copies`: how many share it. `limitBytes`: default 256 MiB. A piece that is larger than a copy's part goes alone. */
  constructor(copies: number, limitBytes = LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
    this.#shareBytes = Math.floor(limitBytes / Math.max(1, copies));
  }

  /** By pieces that are under way. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whoever came first is first. Throws `CANCELLED`, and nothing else. */
  async take(copy: string, lengthBytes: number, signal: AbortSignal): Promise<Room> {
    if (lengthBytes <= SMALL_BYTES) return smallRoom();
    return await this.#takeOf(this.#shareOf(copy), lengthBytes, signal);
  }

  /**
   * For what goes from one copy to another: of neither one's part, because each would wait for the other's store. One piece at a time of these two,
   * beside the limit. Throws as `take`.
   */
  async takeBetween(from: string, to: string, lengthBytes: number, signal: AbortSignal): Promise<Room> {
    return await this.#takeOf(this.#shareOf(`${from}\n${to}`, 0), lengthBytes, signal);
  }

  async #takeOf(share: Share, lengthBytes: number, signal: AbortSignal): Promise<Room> {
    const cancelled = () => new HoldfastError('CANCELLED', 'waiting for memory was cancelled');
    if (signal.aborted) throw cancelled();
    return await new Promise<Room>((resolve, reject) => {
      const leave = () => {
        share.waiting.splice(share.waiting.indexOf(waiting), 1);
        reject(cancelled());
        this.#serve(share);
      };
      const waiting: Waiting = {
        sizeBytes: sizeFor(lengthBytes),
        resolve: (room) => {
          signal.removeEventListener('abort', leave);
          resolve(room);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      share.waiting.push(waiting);
      this.#serve(share);
    });
  }

  /** For what nobody waits for yet: only while there is plenty, and nobody who needs it stands in front. */
  tryTake(copy: string, lengthBytes: number): Room | undefined {
    const share = this.#shareOf(copy);
    const sizeBytes = sizeFor(lengthBytes);
    if (share.waiting.length > 0 || !this.#fits(share, sizeBytes)) return undefined;
    return this.#roomIn(share, sizeBytes);
  }

  /** Somebody has nothing to do: where nobody else has, no memory is held. */
  rest(): void {
    if (this.#usedBytes === 0) this.#shrinkFree(0);
  }

  #shareOf(name: string, limitBytes = this.#shareBytes): Share {
    const known = this.#shares.get(name);
    if (known !== undefined) return known;
    const share: Share = { limitBytes, usedBytes: 0, waiting: [] };
    this.#shares.set(name, share);
    return share;
  }

  /** Sealed it may be as long as it was, and a little more. */
  #fits({ usedBytes, limitBytes }: Share, sizeBytes: number): boolean {
    return usedBytes === 0 || usedBytes + 2 * sizeBytes <= limitBytes;
  }

  #serve(share: Share): void {
    for (;;) {
      const [first] = share.waiting;
      if (first === undefined || !this.#fits(share, first.sizeBytes)) return;
      share.waiting.shift();
      first.resolve(this.#roomIn(share, first.sizeBytes));
    }
  }

  #roomIn(share: Share, sizeBytes: number): Room {
    let heldBytes = 2 * sizeBytes;
    // Taken before it counts: else what lies there would be given up to make room for itself.
    let plain = this.#freeOf(sizeBytes);
    this.#use(share, heldBytes);
    return {
      buffer: (lengthBytes) => {
        plain ??= new SharedArrayBuffer(sizeBytes);
        return Buffer.from(plain, 0, lengthBytes);
      },
      settle: (sealedBytes) => {
        const spare = heldBytes - sizeBytes - sealedBytes;
        if (spare <= 0) return;
        heldBytes -= spare;
        this.#use(share, -spare);
      },
      release: (reusable) => {
        if (heldBytes === 0) return;
        const given = heldBytes;
        heldBytes = 0;
        if (plain !== undefined && reusable) this.#keep(plain);
        this.#use(share, -given);
      },
    };
  }

  #use(share: Share, bytes: number): void {
    share.usedBytes += bytes;
    this.#usedBytes += bytes;
    this.#shrinkFree(Math.max(0, this.#limitBytes - this.#usedBytes));
    if (bytes < 0) this.#serve(share);
  }

  #freeOf(sizeBytes: number): SharedArrayBuffer | undefined {
    const found = this.#free.get(sizeBytes)?.pop();
    if (found !== undefined) this.#freeBytes -= sizeBytes;
    return found;
  }

  #keep(buffer: SharedArrayBuffer): void {
    const { byteLength } = buffer;
    const same = this.#free.get(byteLength) ?? [];
    same.push(buffer);
    this.#free.set(byteLength, same);
    this.#freeBytes += byteLength;
  }

  #shrinkFree(toBytes: number): void {
    for (const [sizeBytes, buffers] of this.#free) {
      while (this.#freeBytes > toBytes && buffers.pop() !== undefined) this.#freeBytes -= sizeBytes;
    }
  }
}

/** A power of two, as segments have: so that what one database gives back another can use. */
function sizeFor(lengthBytes: number): number {
  let sizeBytes = SMALL_BYTES;
  while (sizeBytes < lengthBytes) sizeBytes *= 2;
  return sizeBytes;
}

function smallRoom(): Room {
  return {
    buffer: (lengthBytes) => Buffer.allocUnsafeSlow(lengthBytes),
    settle: () => undefined,
    release: () => undefined,
  };
}
