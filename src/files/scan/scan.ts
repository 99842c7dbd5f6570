// A scan as its reader sees it: batches in walk order, made by a thread of their own while the reader works on those before.

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { fail } from '../../errors/index.ts';
import { type FoundBatch, unpackBatch } from './found.ts';
import type { ScanMessage, ScanWork } from './scan-worker.ts';
import type { WalkRequest } from './walk.ts';

/** The sources are run as they are, the package compiled: the worker's file has this one's extension. */
const ENTRY = new URL(`./scan-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
const BATCHES_AHEAD = 8;
const GIVEN_UP = -1_000_000;
/** What is found is garbage as soon as its batch is sent; a small nursery is swept before much of it has gathered. */
const NURSERY_MB = 4;

/** Throws `FILES_ROOT` when a root cannot be looked at. Leaving the loop ends the scan. */
export async function* scan(request: WalkRequest): AsyncGenerator<FoundBatch> {
  const allowed = new Int32Array(new SharedArrayBuffer(4));
  Atomics.store(allowed, 0, BATCHES_AHEAD);
  const work: ScanWork = { request, allowed };
  const worker = new Worker(ENTRY, {
    ...{ workerData: work, execArgv: [] },
    resourceLimits: { maxYoungGenerationSizeMb: NURSERY_MB },
  });
  const messages = new Messages(worker);
  try {
    for (;;) {
      const message = await messages.next();
      if (message.kind === 'end') return;
      if (message.kind === 'failed') {
        fail('FILES_ROOT', `a root could not be looked at: ${message.error.message}`);
      }
      Atomics.add(allowed, 0, 1);
      Atomics.notify(allowed, 0);
      yield unpackBatch(message.batch);
    }
  } finally {
    Atomics.store(allowed, 0, GIVEN_UP);
    Atomics.notify(allowed, 0);
    await worker.terminate();
  }
}

/** What a thread sends, in its order, and its death as an error. */
class Messages {
  readonly #arrived: ScanMessage[] = [];
  #failure: { readonly cause: unknown } | undefined;
  #wake: () => void = () => {};

  constructor(worker: Worker) {
    worker.on('message', (message: ScanMessage) => {
      this.#arrived.push(message);
      this.#wake();
    });
    worker.on('error', (cause) => this.#fail(cause));
    worker.on('exit', () => this.#fail(new Error('the thread that scans ended')));
  }

  async next(): Promise<ScanMessage> {
    for (;;) {
      const message = this.#arrived.shift();
      if (message) return message;
      if (this.#failure) throw this.#failure.cause;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #fail(cause: unknown): void {
    this.#failure ??= { cause };
    this.#wake();
  }
}
