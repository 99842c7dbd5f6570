// Seals log: small pieces at once, large ones in threads, which are there only while somebody has work for them.

import { hash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { type SealContext, seal } from './sealed.ts';
import { JobThreads, ThreadGone } from './workers/job-threads.ts';

/** Each seals some 100 MB a second: more than that one server writes for long. */
const MOST_THREADS = 2;
/** Up to here the way to a thread and back costs more than it wins. */
const SMALL_BYTES = 256 * 1024;

export interface SealedBytes {
  readonly sealed: Buffer;
  /** Of the plain bytes. */
  readonly sha256: string;
}

export class LogSealer {
  #threads: JobThreads | undefined;
  #active = 0;

  /** Nobody changes `plain` meanwhile. */
  async seal(context: SealContext, facts: object, plain: Buffer): Promise<SealedBytes> {
    if (plain.length <= SMALL_BYTES) {
      const sha256 = hash('sha256', plain, 'hex');
      return { sealed: await seal(context, { ...facts, sha256 }, plain), sha256 };
    }
    const bytes = sharedOf(plain);
    try {
      return await this.#inThread(context, facts, bytes);
    } catch (error) {
      if (!(error instanceof ThreadGone)) throw error;
      return await this.#inThread(context, facts, bytes);
    }
  }

  async #inThread(context: SealContext, facts: object, plain: Uint8Array<SharedArrayBuffer>): Promise<SealedBytes> {
    this.#threads ??= new JobThreads(Math.min(MOST_THREADS, availableParallelism()));
    const threads = this.#threads;
    this.#active++;
    try {
      const { sealed, sha256 } = await threads.run<'seal'>({ kind: 'seal', context, facts, plain });
      return { sealed: Buffer.from(sealed), sha256 };
    } finally {
      this.#active--;
      if (this.#active === 0) {
        this.#threads = undefined;
        await threads.close();
      }
    }
  }
}

/** Memory that both threads see: handed over and back, a large buffer would be taken for new each time, and cause a collection each few times. */
function sharedOf(bytes: Buffer): Uint8Array<SharedArrayBuffer> {
  const { buffer, byteOffset, length } = bytes;
  if (buffer instanceof SharedArrayBuffer) return new Uint8Array(buffer, byteOffset, length);
  const copy = new Uint8Array(new SharedArrayBuffer(length));
  copy.set(bytes);
  return copy;
}
