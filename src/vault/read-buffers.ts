// Memory for what is read from a store and handed to a thread: it comes back with the answer and is used again, because touching fresh memory costs as much as hashing it.

import { letGo } from './let-go.ts';

/** Smaller ones come and go in memory that the C library keeps. */
const LEAST_BYTES = 1024 * 1024;
/** Of what nobody uses at the moment: as much as four packs, which are looked at at once. */
const KEPT_BYTES = 128 * 1024 * 1024;
/** A small object does not keep the memory of a large one from the next large one. */
const MOST_TIMES = 4;

export class ReadBuffers {
  readonly #free: ArrayBuffer[] = [];
  #freeBytes = 0;
  readonly #own = new WeakSet<ArrayBuffer>();

  /** Of at least so many bytes; what is in it is anything. For `GetOptions.into`. */
  readonly take = (bytes: number): ArrayBuffer => {
    const buffer = this.#found(bytes) ?? new ArrayBuffer(sizeFor(bytes));
    this.#own.add(buffer);
    return buffer;
  };

  /** As a buffer that can be given away whole: the bytes lie at its start. They are copied where others use the same memory. */
  whole(bytes: Buffer): ArrayBuffer {
    const { buffer, byteOffset } = bytes;
    const isAlone = buffer instanceof ArrayBuffer && (buffer.byteLength === bytes.length || this.#own.has(buffer));
    return isAlone && byteOffset === 0 ? buffer : (Uint8Array.from(bytes).buffer as ArrayBuffer);
  }

  /** Nobody else uses it any more. */
  giveBack(buffer: ArrayBuffer): void {
    const { byteLength } = buffer;
    if (byteLength < LEAST_BYTES || this.#freeBytes + byteLength > KEPT_BYTES) letGo(buffer);
    else {
      this.#free.push(buffer);
      this.#freeBytes += byteLength;
    }
  }

  /** The smallest that is large enough. */
  #found(bytes: number): ArrayBuffer | undefined {
    if (bytes < LEAST_BYTES) return undefined;
    const fitting = this.#free.filter(({ byteLength }) => byteLength >= bytes && byteLength <= MOST_TIMES * bytes);
    const found = fitting.sort((a, b) => a.byteLength - b.byteLength)[0];
    if (found === undefined) return undefined;
    this.#free.splice(this.#free.indexOf(found), 1);
    this.#freeBytes -= found.byteLength;
    return found;
  }
}

/** Few sizes, so that one fits the next; what of it is never written to takes no memory. */
function sizeFor(bytes: number): number {
  return bytes < LEAST_BYTES ? bytes : 2 ** Math.ceil(Math.log2(bytes));
}
