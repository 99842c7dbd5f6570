// Threads that do jobs for the main thread: each job goes to the one that is free first, or to the one that it belongs to.

import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { fail, fromErrorData } from '../../errors/index.ts';
import type { AnswerTo, JobKind, Jobs, Reply } from './jobs.ts';

/** The sources are run as they are, the package compiled: the worker's file has this one's extension. */
const ENTRY = new URL(`./job-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
/** One is done while the next one's bytes wait, so that no thread waits for the main thread. */
const JOBS_A_THREAD = 2;
/** As many as stay below 512 MiB of memory, each with 50 MB. */
const MOST_THREADS = 4;
/** Threads that wait for the next piece of work, like those of libuv: starting one costs a tenth of a second. */
const MOST_IDLE = 4;
/** A thread that dies is replaced; so many of one piece of work are no accident. */
const MOST_DEATHS = 8;
const idle = new Set<Worker>();

/** The thread ended before it answered: its job may be done, half done or not begun. */
export class ThreadGone extends Error {}

interface Waiting {
  readonly job: Jobs[JobKind]['job'];
  readonly transfer: readonly ArrayBuffer[];
  readonly resolve: (answer: Jobs[JobKind]['answer']) => void;
  readonly reject: (cause: unknown) => void;
}

interface Slot {
  worker: Worker | undefined;
  /** Takes off what listens to the worker for this slot, and nothing of anybody else's. */
  leave: () => void;
  readonly underWay: Map<number, Waiting>;
  /** Jobs that only this slot may do. */
  readonly own: Waiting[];
}

export class JobThreads {
  readonly count: number;
  readonly #slots: Slot[];
  readonly #queue: Waiting[] = [];
  #nextNumber = 0;
  #nextHome = 0;
  #deaths = 0;
  #isClosed = false;

  /** `count`: default the cores, at most 4. */
  constructor(count = Math.min(MOST_THREADS, availableParallelism())) {
    this.count = count;
    this.#slots = Array.from({ length: count }, emptySlot);
  }

  /** Number of a slot for jobs that must meet each other. */
  home(): number {
    return this.#nextHome++ % this.count;
  }

  /** Rejects with the error of the job, or with `ThreadGone`; buffers of `transfer` are lost in any case. */
  run<Kind extends JobKind>(
    job: Jobs[Kind]['job'],
    options: { readonly transfer?: readonly ArrayBuffer[]; readonly home?: number } = {},
  ): Promise<AnswerTo<Kind>> {
    return new Promise<AnswerTo<Kind>>((resolve, reject) => {
      if (this.#isClosed) fail('INTERNAL', 'a job came after the last one');
      const waiting = { job, transfer: options.transfer ?? [], resolve: resolve as Waiting['resolve'], reject };
      if (options.home === undefined) this.#queue.push(waiting);
      else (this.#slots[options.home] as Slot).own.push(waiting);
      this.#dispatch();
    });
  }

  /** Every thread once, after the jobs that it was given before. */
  async everywhere<Kind extends JobKind>(job: Jobs[Kind]['job']): Promise<AnswerTo<Kind>[]> {
    const used = this.#slots.flatMap((slot, home) => (slot.worker ? [home] : []));
    return Promise.all(used.map((home) => this.run<Kind>(job, { home })));
  }

  /** Waits for the jobs under way: once this resolves no thread touches anything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiting of this.#queue.splice(0)) waiting.reject(new ThreadGone('the work has ended'));
    for (const { own } of this.#slots)
      for (const waiting of own.splice(0)) waiting.reject(new ThreadGone('the work has ended'));
    await Promise.all(this.#slots.map((slot) => drained(slot)));
    for (const slot of this.#slots) {
      const { worker } = slot;
      slot.worker = undefined;
      if (!worker) continue;
      slot.leave();
      if (idle.size < MOST_IDLE) keepIdle(worker);
      else await worker.terminate();
    }
  }

  #dispatch(): void {
    for (;;) {
      const slot = this.#slots
        .filter((each) => each.underWay.size < JOBS_A_THREAD && (each.own.length > 0 || this.#queue.length > 0))
        .sort((a, b) => b.own.length - a.own.length || a.underWay.size - b.underWay.size)[0];
      if (!slot) return;
      this.#send(slot, (slot.own.shift() ?? this.#queue.shift()) as Waiting);
    }
  }

  #send(slot: Slot, waiting: Waiting): void {
    const number = this.#nextNumber++;
    const worker = slot.worker ?? this.#start(slot);
    slot.underWay.set(number, waiting);
    try {
      worker.postMessage({ number, job: waiting.job }, [...waiting.transfer]);
    } catch (cause) {
      slot.underWay.delete(number);
      waiting.reject(cause);
    }
  }

  #start(slot: Slot): Worker {
    const worker = takeIdle() ?? newWorker();
    const answered = (reply: Reply) => this.#answered(slot, reply);
    const gone = () => this.#gone(slot, worker);
    worker.on('message', answered).on('error', gone).on('exit', gone);
    slot.worker = worker;
    slot.leave = () => worker.off('message', answered).off('error', gone).off('exit', gone);
    return worker;
  }

  #answered(slot: Slot, reply: Reply): void {
    const waiting = slot.underWay.get(reply.number);
    slot.underWay.delete(reply.number);
    if ('error' in reply) waiting?.reject(fromErrorData(reply.error));
    else waiting?.resolve(reply.answer);
    if (!this.#isClosed) this.#dispatch();
  }

  #gone(slot: Slot, worker: Worker): void {
    if (slot.worker !== worker) return; // told twice
    slot.worker = undefined;
    this.#deaths++;
    const lost = [...slot.underWay.values()];
    slot.underWay.clear();
    const isAccident = this.#deaths <= MOST_DEATHS;
    for (const { reject } of lost) {
      reject(isAccident ? new ThreadGone('a reading thread ended') : new Error('reading threads end again and again'));
    }
    if (!this.#isClosed) this.#dispatch();
  }
}

function emptySlot(): Slot {
  return { worker: undefined, leave: () => {}, underWay: new Map(), own: [] };
}

async function drained(slot: Slot): Promise<void> {
  await Promise.all(
    [...slot.underWay].map(
      ([number, waiting]) =>
        new Promise<void>((resolve) => {
          const both =
            <T>(tell: (value: T) => void) =>
            (value: T) => {
              tell(value);
              resolve();
            };
          slot.underWay.set(number, { ...waiting, resolve: both(waiting.resolve), reject: both(waiting.reject) });
        }),
    ),
  );
}

function newWorker(): Worker {
  const worker = new Worker(ENTRY, { execArgv: [] });
  const forget = () => idle.delete(worker);
  return worker.on('error', forget).on('exit', forget);
}

function takeIdle(): Worker | undefined {
  const [worker] = idle;
  if (worker) idle.delete(worker);
  worker?.ref();
  return worker;
}

function keepIdle(worker: Worker): void {
  worker.unref();
  idle.add(worker);
}
