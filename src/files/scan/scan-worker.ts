// The thread of one scan: walks ahead of the main thread, by as many batches as it was allowed.

import { parentPort, workerData } from 'node:worker_threads';
import { packBatch } from './found.ts';
import { type WalkRequest, walk } from './walk.ts';

export interface ScanWork {
  readonly request: WalkRequest;
  /** Number of batches that may still be sent; negative: the scan was given up. */
  readonly allowed: Int32Array<SharedArrayBuffer>;
}

export type ScanMessage =
  | { readonly kind: 'batch'; readonly batch: ReturnType<typeof packBatch> }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly error: { readonly message: string; readonly code?: string } };

const { request, allowed } = workerData as ScanWork;

function send(message: ScanMessage): void {
  const transfer = message.kind === 'batch' ? [message.batch.numbers.buffer] : [];
  parentPort?.postMessage(message, transfer);
}

/** False: the scan was given up. */
function waitForTurn(): boolean {
  for (;;) {
    const left = Atomics.load(allowed, 0);
    if (left < 0) return false;
    if (left > 0) {
      Atomics.sub(allowed, 0, 1);
      return true;
    }
    Atomics.wait(allowed, 0, 0);
  }
}

function scan(): void {
  try {
    for (const batch of walk(request)) {
      if (!waitForTurn()) return;
      send({ kind: 'batch', batch: packBatch(batch) });
    }
    send({ kind: 'end' });
  } catch (cause) {
    const { message, code } = cause as NodeJS.ErrnoException;
    send({ kind: 'failed', error: { message, ...(code !== undefined && { code }) } });
  }
}

scan();
