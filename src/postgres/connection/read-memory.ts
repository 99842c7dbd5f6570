// Memory that a socket reads into, used again: log streams on and on, and of fresh memory for each read there would be a collection every few segments.

import net from 'node:net';
import { letGo } from '../../vault/index.ts';

/** What Node reads at once without being told. */
const READ_BYTES = 64 * 1024;
/** Of a reader that has fallen behind there are more for a while; those go to the collector. */
const MOST_FREE = 32;

export class ReadMemory {
  readonly #own = new WeakSet<ArrayBufferLike>();
  readonly #free: Buffer[] = [];

  /** Told of by `data` like any other's; nobody else reads from it. */
  socket(): net.Socket {
    const callback = (lengthBytes: number, read: Uint8Array): boolean =>
      socket.emit('data', this.#chunk(lengthBytes, read));
    const socket: net.Socket = new net.Socket({ onread: { buffer: () => this.#take(), callback } });
    return socket;
  }

  /** Nobody reads `chunk`, or anything else of the same memory, from here on. It may have come another way, as through TLS. */
  giveBack(chunk: Buffer): void {
    if (!this.#own.has(chunk.buffer)) {
      if (chunk.length === chunk.buffer.byteLength) letGo(chunk);
    } else if (this.#free.length < MOST_FREE) this.#free.push(Buffer.from(chunk.buffer));
  }

  #take(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const made = Buffer.allocUnsafeSlow(READ_BYTES);
    this.#own.add(made.buffer);
    return made;
  }

  /** Few bytes are copied: many such chunks that wait would hold many times their length. */
  #chunk(lengthBytes: number, read: Uint8Array): Buffer {
    const chunk = Buffer.from(read.buffer, 0, lengthBytes);
    if (lengthBytes >= READ_BYTES / 2) return chunk;
    const copy = Buffer.from(chunk);
    this.giveBack(chunk);
    return copy;
  }
}
