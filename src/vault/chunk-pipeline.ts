// Plain bytes in, packs out: worker threads hash, compress, encrypt and pack; this thread knows which chunks are there already.

import { availableParallelism } from 'node:os';
import { CHUNK_ID_BYTES } from './chunk-id.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { NEW_CHUNK, NEW_PACK } from './chunk-record.ts';
import { PackBuffers } from './pack-buffers.ts';
import type { PageInspection } from './snapshot-types.ts';
import { DataWorker, type Hashed, type PackedPack, type Taken } from './workers/data-worker.ts';
import type { FileRead, FileToRead, SliceRead, WorkerSetup } from './workers/protocol.ts';

/** Bytes of a stream given to a worker at once. */
export const SLAB_BYTES = 4 * 1024 * 1024;
/** One is hashed while the other's chunks are compressed, so that no worker waits for this thread. */
const JOBS_A_WORKER = 2;
/** As many as stay below 512 MiB of memory, each with 40 MB: whoever has more of it says so. */
const MOST_WORKERS = 4;
/** Packs on their way to the stores beside those that the workers fill: enough to keep a store busy. */
const PACKS_ON_THEIR_WAY = 2;

export interface PipelineParts {
  readonly setup: WorkerSetup;
  readonly index: ChunkIndex;
  /** Number of threads; default the cores, at most 4. */
  readonly workers?: number | undefined;
  /** Takes the pack over; resolves when there is room for the next one. Called for one pack at a time. `settle`: it was stored or given up; `isFree`: nobody reads `bytes` any more. */
  readonly onPack: (
    pack: { sha256: string; bytes: Buffer; index: Buffer },
    settle: (isFree: boolean) => void,
  ) => Promise<void>;
  /** A chunk of this snapshot lies in a pack that was there before. */
  readonly onKnown: (pack: number) => void;
}

interface Job {
  readonly resolve: (hashed: Hashed) => void;
  readonly reject: (cause: unknown) => void;
}

export class ChunkPipeline {
  readonly #parts: PipelineParts;
  readonly #count: number;
  readonly #jobs = new Map<number, Job>();
  readonly #slabs: ArrayBuffer[] = [];
  readonly #buffers: PackBuffers;
  #workers: DataWorker[] = [];
  #nextJob = 0;
  #nextReading = 0;
  #failure: { readonly cause: unknown } | undefined;
  #packs: Promise<void> = Promise.resolve();
  #packsWaiting = 0;
  #unflushed = 0;
  #isFinished = false;
  #wake: (() => void) | undefined;
  chunks = 0;
  newChunks = 0;
  newBytes = 0;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#count = parts.workers ?? Math.min(MOST_WORKERS, availableParallelism());
    this.#buffers = new PackBuffers(this.#count + PACKS_ON_THEIR_WAY);
    DataWorker.warm(this.#count);
  }

  /** A buffer for the next bytes of a stream. */
  slab(): Buffer {
    return Buffer.from(this.#slabs.pop() ?? new ArrayBuffer(SLAB_BYTES));
  }

  /** `slab`: from `slab()`; the chunks of `lengths` lie in it one after another. Resolves when a worker has it; its answer comes later. */
  async cut(slab: Buffer, lengths: readonly number[]): Promise<{ hashed: Promise<Hashed> }> {
    const worker = await this.#freeWorker();
    const buffer = slab.buffer as ArrayBuffer;
    return this.#send((job) => worker.send({ kind: 'cut', job, slab: buffer, lengths }, [buffer]));
  }

  /** Files that fit into memory together. */
  async files(files: readonly FileToRead[]): Promise<{ hashed: Promise<Hashed & { files: readonly FileRead[] }> }> {
    const worker = await this.#freeWorker();
    const sent = this.#send((job) => worker.send({ kind: 'files', job, files }));
    return sent as { hashed: Promise<Hashed & { files: readonly FileRead[] }> };
  }

  /** Who looks at the pages of files that are read from now on. */
  inspect(inspection: PageInspection): void {
    if (this.#workers.length === 0) this.#start();
    for (const worker of this.#workers) worker.send({ kind: 'inspect', inspection });
  }

  /** Threads that read at once. */
  get threads(): number {
    return this.#count;
  }

  /** Slice after slice of a large file that is cut into pages, all read by one worker, which hashes the whole; the last one has an end, or says why there is none. */
  async *slices(file: FileToRead): AsyncGenerator<Hashed & { readonly slice: SliceRead }> {
    if (this.#workers.length === 0) this.#start();
    const reading = this.#nextReading++;
    const worker = this.#workers.reduce((least, each) => (each.readings < least.readings ? each : least));
    worker.readings++;
    for (let isFirst = true; ; isFirst = false) {
      this.#check();
      while (worker.jobs >= JOBS_A_WORKER) await this.#change();
      const slab = this.slab().buffer as ArrayBuffer;
      const about = { kind: 'slice', reading, slab, ...(isFirst && { file }) } as const;
      const { hashed } = this.#send((job) => worker.send({ ...about, job }, [slab]));
      const answer = (await hashed) as Hashed & { readonly slice: SliceRead };
      const isLast = 'code' in answer.slice || answer.slice.end !== undefined;
      if (isLast) worker.readings--;
      yield answer;
      if (isLast) return;
    }
  }

  /** Whether the chunk is in the generation already; counts it as one of this snapshot then. */
  claim(id: Buffer): boolean {
    return this.claimAll([id]);
  }

  /** All of them, or none. */
  claimAll(ids: readonly Buffer[]): boolean {
    const records = ids.map((id) => this.#parts.index.find(id));
    if (records.includes(undefined)) return false;
    this.chunks += ids.length;
    for (const record of records) {
      if (record !== undefined && record.pack !== NEW_PACK) this.#parts.onKnown(record.pack);
    }
    return true;
  }

  /** Resolves when every chunk that was given is hashed and on its way into a pack. */
  async settle(): Promise<void> {
    this.#check();
    while (this.#workers.some((worker) => worker.jobs > 0)) await this.#change();
  }

  /** Resolves when every chunk is in a pack and every pack was handed over. */
  async finish(): Promise<void> {
    await this.settle();
    this.#unflushed = this.#workers.length;
    for (const worker of this.#workers) worker.send({ kind: 'flush' });
    while (this.#unflushed > 0 || this.#packsWaiting > 0) await this.#change();
    await this.#packs;
    this.#check();
    this.#isFinished = true;
  }

  async end(): Promise<void> {
    this.#failure ??= { cause: new Error('the snapshot was abandoned') };
    for (const job of this.#jobs.values()) job.reject(this.#failure.cause);
    this.#jobs.clear();
    const ending = this.#workers.map((worker) => worker.release(this.#isFinished));
    this.#workers = [];
    this.#wakeUp();
    await Promise.all(ending);
  }

  #send(send: (job: number) => void): { hashed: Promise<Hashed> } {
    const job = this.#nextJob++;
    const hashed = new Promise<Hashed>((resolve, reject) => this.#jobs.set(job, { resolve, reject }));
    hashed.catch(() => {}); // whoever waits for it is told
    send(job);
    return { hashed };
  }

  /** The one that has least to do; waits while all have enough, as when packs are not stored as fast as they are made. */
  async #freeWorker(): Promise<DataWorker> {
    if (this.#workers.length === 0) this.#start();
    for (;;) {
      this.#check();
      const [first] = [...this.#workers].sort((a, b) => a.jobs - b.jobs);
      if (first && first.jobs < JOBS_A_WORKER) return first;
      await this.#change();
    }
  }

  #start(): void {
    const events = {
      onHashed: (worker: DataWorker, message: Hashed) => {
        try {
          this.#hashed(worker, message);
        } catch (cause) {
          this.#fail(cause); // nobody above a message would: the process would end
        }
      },
      onTaken: (_worker: DataWorker, message: Taken) => this.#taken(message),
      onNeeds: (worker: DataWorker) => this.#buffers.ask((buffer) => worker.send({ kind: 'room', buffer }, [buffer])),
      onPack: (message: PackedPack) => this.#pack(message),
      onFlushed: () => {
        this.#unflushed--;
        this.#wakeUp();
      },
      onFailure: (cause: unknown) => this.#fail(cause),
    };
    this.#workers = Array.from({ length: this.#count }, () => DataWorker.take(this.#parts.setup, events));
  }

  #hashed(worker: DataWorker, message: Hashed): void {
    const ids = Buffer.from(message.ids.buffer, message.ids.byteOffset, message.ids.byteLength);
    const wanted = new Uint8Array(message.lengths.length);
    for (const [number, length] of message.lengths.entries()) {
      const id = ids.subarray(number * CHUNK_ID_BYTES, (number + 1) * CHUNK_ID_BYTES);
      if (this.claim(id)) continue;
      wanted[number] = 1;
      this.chunks++;
      this.newChunks++;
      this.newBytes += length;
      this.#parts.index.add(id, NEW_CHUNK);
    }
    this.#give(worker, message, wanted);
    this.#jobs.get(message.job)?.resolve(message);
    this.#jobs.delete(message.job);
    this.#wakeUp();
  }

  /** What is new goes into the packs of the worker that hashed it; of slices, into those of whoever has least to do. */
  #give(worker: DataWorker, { job, slab, ids, lengths }: Hashed, wanted: Uint8Array): void {
    if (slab === undefined) {
      worker.send({ kind: 'take', job, wanted });
      return;
    }
    const taker = this.#takerFor(worker);
    worker.jobs--;
    taker.jobs++;
    taker.send({ kind: 'take', job, wanted, given: { slab, ids, lengths } }, [slab]);
  }

  /** A large file is read by one worker: it must not also compress all of it while others have nothing to do. */
  #takerFor(reader: DataWorker): DataWorker {
    const load = (worker: DataWorker) => worker.jobs + (worker.readings > 0 ? 1 : 0) - (worker === reader ? 1 : 0);
    return this.#workers.reduce((best, each) => {
      if (each === best || each.jobs >= JOBS_A_WORKER) return best;
      const isLess = load(each) - load(best) || each.readings - best.readings;
      return isLess < 0 ? each : best;
    }, reader);
  }

  #taken({ slab }: Taken): void {
    if (slab) this.#slabs.push(slab);
    this.#wakeUp();
  }

  #pack({ sha256, buffer, sizeBytes, index }: PackedPack): void {
    this.#packsWaiting++;
    const own = Buffer.from(index.buffer, index.byteOffset, index.byteLength);
    const pack = { sha256, bytes: Buffer.from(buffer, 0, sizeBytes), index: own };
    this.#packs = this.#packs.then(async () => {
      try {
        if (!this.#failure)
          await this.#parts.onPack(pack, (isFree) => this.#buffers.giveBack(isFree ? buffer : undefined));
      } catch (cause) {
        this.#fail(cause);
      }
      this.#packsWaiting--;
      this.#wakeUp();
    });
  }

  #fail(cause: unknown): void {
    this.#failure ??= { cause };
    for (const job of this.#jobs.values()) job.reject(this.#failure.cause);
    this.#jobs.clear();
    this.#wakeUp();
  }

  #check(): void {
    if (this.#failure) throw this.#failure.cause;
  }

  async #change(): Promise<void> {
    this.#check();
    await new Promise<void>((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        before?.();
        resolve();
      };
    });
    this.#check();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
