// Entry of a data worker: hashes what it is given or reads, then takes the chunks that are new into its packs.

import { parentPort } from 'node:worker_threads';
import { CHUNK_ID_BYTES, ChunkIds } from '../chunk-id.ts';
import { pageChunks } from '../chunker.ts';
import type { PageInspection, PageInspector } from '../snapshot-types.ts';
import { BatchReader } from './file-batch.ts';
import { Packer } from './packer.ts';
import { PagedFile } from './paged-file.ts';
import type { FileToRead, FromWorker, ToWorker, WorkerSetup } from './protocol.ts';

interface Job {
  readonly bytes: Buffer;
  readonly ids: Uint8Array;
  readonly lengths: readonly number[];
  /** Given by the main thread, and given back to it. */
  readonly slab?: ArrayBuffer;
}

/** A job whose new chunks go into packs, as far as it has come. */
interface Taking {
  readonly number: number;
  readonly job: Job;
  /** A byte for each chunk: whether it is new. */
  readonly wanted: Uint8Array;
  chunk: number;
  offset: number;
}

/** The worker's part of one snapshot. */
class Work {
  readonly #chunkIds: ChunkIds;
  readonly #reader: BatchReader;
  readonly #packer: Packer;
  readonly #jobs = new Map<number, Job>();
  readonly #takings: Taking[] = [];
  /** Large files that are being read. */
  readonly #readings = new Map<number, PagedFile>();
  #isFlushing = false;
  #hasAsked = false;

  constructor({ vaultId, path, dataKey, chunkIdKey, gear, compression }: WorkerSetup) {
    const chunkIds = new ChunkIds(chunkIdKey);
    const context = { vaultId: Buffer.from(vaultId), path, dataKey: Buffer.from(dataKey), chunkIds };
    this.#chunkIds = chunkIds;
    this.#reader = new BatchReader(gear, chunkIds);
    this.#packer = new Packer(context, compression, ({ sha256, bytes, index }, buffer) => {
      // A pack of small chunks has megabytes of index: it is copied once, out of what the builder had for it.
      const own = new Uint8Array(index);
      say({ kind: 'pack', sha256, buffer, sizeBytes: bytes.length, index: own }, [buffer, own.buffer]);
    });
  }

  async handle(message: Exclude<ToWorker, { kind: 'begin' }>): Promise<void> {
    if (message.kind === 'cut') this.#hash(message.job, message.slab, message.lengths);
    else if (message.kind === 'files') this.#read(message.job, message.files);
    else if (message.kind === 'slice') this.#slice(message);
    else if (message.kind === 'inspect') this.#reader.inspector = await makeInspector(message.inspection);
    else if (message.kind === 'take') this.#take(message);
    else if (message.kind === 'room') {
      this.#hasAsked = false;
      this.#packer.give(message.buffer);
      this.#goOn();
    } else {
      this.#isFlushing = true;
      this.#goOn();
    }
  }

  #hash(job: number, slab: ArrayBuffer, lengths: readonly number[]): void {
    const bytes = Buffer.from(slab);
    const ids = this.#idsOf(bytes, lengths);
    this.#jobs.set(job, { bytes, ids, lengths, slab });
    say({ kind: 'hashed', job, ids, lengths });
  }

  #idsOf(bytes: Buffer, lengths: readonly number[]): Uint8Array {
    const ids = new Uint8Array(lengths.length * CHUNK_ID_BYTES);
    let at = 0;
    for (const [number, length] of lengths.entries()) {
      ids.set(this.#chunkIds.of(bytes.subarray(at, at + length)), number * CHUNK_ID_BYTES);
      at += length;
    }
    return ids;
  }

  #read(job: number, files: readonly FileToRead[]): void {
    const batch = this.#reader.read(files);
    this.#jobs.set(job, batch);
    say({ kind: 'hashed', job, ids: batch.ids, lengths: batch.lengths, files: batch.files });
  }

  #slice({ job, reading, slab, file }: Extract<ToWorker, { kind: 'slice' }>): void {
    const known = file === undefined ? this.#readings.get(reading) : PagedFile.open(file);
    const bytes = Buffer.from(slab);
    const { slice, lengthBytes } = (known as PagedFile).read(bytes, this.#reader.inspector);
    if ('code' in slice || slice.end !== undefined) this.#readings.delete(reading);
    else if (file !== undefined) this.#readings.set(reading, known as PagedFile);
    const lengths = pageChunks(lengthBytes);
    say({ kind: 'hashed', job, ids: this.#idsOf(bytes, lengths), lengths, slice, slab }, [slab]);
  }

  #take({ job: number, wanted, given }: Extract<ToWorker, { kind: 'take' }>): void {
    const job = given ? { ...given, bytes: Buffer.from(given.slab) } : (this.#jobs.get(number) as Job);
    this.#jobs.delete(number);
    this.#takings.push({ number, job, wanted, chunk: 0, offset: 0 });
    this.#goOn();
  }

  /** As far as there are buffers for packs: nobody is waited for here, so that the next job is hashed meanwhile. */
  #goOn(): void {
    for (let taking = this.#takings[0]; taking; taking = this.#takings[0]) {
      if (!this.#pack(taking)) {
        this.#ask();
        return;
      }
      this.#takings.shift();
      this.#taken(taking);
    }
    if (!this.#isFlushing) return;
    if (this.#packer.flush()) {
      this.#isFlushing = false;
      say({ kind: 'flushed' });
    } else this.#ask();
  }

  /** Whether all of it is packed. */
  #pack(taking: Taking): boolean {
    const { job, wanted } = taking;
    for (; taking.chunk < job.lengths.length; taking.chunk++) {
      const length = job.lengths[taking.chunk] as number;
      if (wanted[taking.chunk] === 1) {
        if (!this.#packer.makeRoom()) return false;
        const id = job.ids.subarray(taking.chunk * CHUNK_ID_BYTES, (taking.chunk + 1) * CHUNK_ID_BYTES);
        this.#packer.add(id, job.bytes.subarray(taking.offset, taking.offset + length));
      }
      taking.offset += length;
    }
    this.#packer.makeRoom();
    return true;
  }

  #taken({ number, job }: Taking): void {
    if (job.slab) say({ kind: 'taken', job: number, slab: job.slab }, [job.slab]);
    else {
      this.#reader.reuse(job.bytes);
      say({ kind: 'taken', job: number });
    }
  }

  #ask(): void {
    if (!this.#hasAsked) say({ kind: 'needs' });
    this.#hasAsked = true;
  }
}

let work: Work | undefined;

/** One message after the other, also while a module is loaded; what is thrown ends the thread. */
let turn = Promise.resolve();

parentPort?.on('message', (message: ToWorker) => {
  turn = turn.then(() => handle(message));
});

async function handle(message: ToWorker): Promise<void> {
  if (message.kind === 'begin') work = new Work(message.setup);
  else await work?.handle(message);
}

async function makeInspector({ module, settings }: PageInspection): Promise<PageInspector> {
  const { makeInspector: make } = (await import(module)) as { makeInspector: (settings: unknown) => PageInspector };
  return make(settings);
}

function say(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, [...transfer]);
}
