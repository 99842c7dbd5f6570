// One data worker as the main thread sees it: what it was asked, and what it answers.

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerSetup } from './protocol.ts';

/** The sources are run as they are, the package compiled: the worker's file has this one's extension. */
const ENTRY = new URL(`./worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
/** Threads that wait for the next snapshot, like those of libuv: starting one costs a tenth of a second. */
const MOST_IDLE = 4;
/** What is compressed and encrypted is garbage at once; a small nursery is swept before much of it has gathered. */
const NURSERY_MB = 4;
const idle: DataWorker[] = [];

export type Hashed = Extract<FromWorker, { kind: 'hashed' }>;
export type Taken = Extract<FromWorker, { kind: 'taken' }>;
export type PackedPack = Extract<FromWorker, { kind: 'pack' }>;

export interface WorkerEvents {
  readonly onHashed: (worker: DataWorker, message: Hashed) => void;
  readonly onTaken: (worker: DataWorker, message: Taken) => void;
  /** It waits for a buffer for its next pack. */
  readonly onNeeds: (worker: DataWorker) => void;
  readonly onPack: (message: PackedPack) => void;
  readonly onFlushed: (worker: DataWorker) => void;
  /** The thread is gone; nothing of it can be relied on. */
  readonly onFailure: (cause: unknown) => void;
}

export class DataWorker {
  readonly #worker = new Worker(ENTRY, { execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: NURSERY_MB } });
  #events: WorkerEvents | undefined;
  #isGone = false;
  /** Jobs that it was given and did not finish. */
  jobs = 0;
  /** Large files that it reads from start to end. */
  readings = 0;

  /** One that waits, or a new one. */
  static take(setup: WorkerSetup, events: WorkerEvents): DataWorker {
    const worker = idle.pop() ?? new DataWorker();
    worker.#events = events;
    worker.#worker.ref();
    worker.send({ kind: 'begin', setup });
    return worker;
  }

  /** So many wait for the next snapshot, or start: what it begins with is done meanwhile. */
  static warm(count: number): void {
    while (idle.length < Math.min(count, MOST_IDLE)) {
      const worker = new DataWorker();
      worker.#worker.unref();
      idle.push(worker);
    }
  }

  private constructor() {
    this.#worker.on('error', (cause) => this.#gone(cause));
    this.#worker.on('exit', () => this.#gone(new Error('a data worker ended')));
    this.#worker.on('message', (message: FromWorker) => this.#handle(message));
  }

  send(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    if (message.kind === 'cut' || message.kind === 'files' || message.kind === 'slice') this.jobs++;
    this.#worker.postMessage(message, [...transfer]);
  }

  /** `isFinished`: it was flushed and has answered everything, so that another snapshot may have it. Otherwise an answer may still be on its way, and the thread ends. */
  async release(isFinished: boolean): Promise<void> {
    const isFree = isFinished && this.jobs === 0 && this.readings === 0 && !this.#isGone && idle.length < MOST_IDLE;
    this.#events = undefined;
    if (!isFree) {
      await this.#worker.terminate();
      return;
    }
    this.#worker.unref();
    idle.push(this);
  }

  #handle(message: FromWorker): void {
    if (message.kind === 'taken') this.jobs--;
    if (message.kind === 'hashed') this.#events?.onHashed(this, message);
    else if (message.kind === 'taken') this.#events?.onTaken(this, message);
    else if (message.kind === 'needs') this.#events?.onNeeds(this);
    else if (message.kind === 'pack') this.#events?.onPack(message);
    else this.#events?.onFlushed(this);
  }

  #gone(cause: unknown): void {
    this.#isGone = true;
    const at = idle.indexOf(this);
    if (at >= 0) idle.splice(at, 1);
    this.#events?.onFailure(cause);
  }
}
