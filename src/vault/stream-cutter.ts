// Streams of bytes on their way to the workers: copied once into slabs, cut there, and the ids given back to the file they belong to.

import { CHUNK_ID_BYTES } from './chunk-id.ts';
import type { ChunkPipeline } from './chunk-pipeline.ts';
import { Cutter, type Cutting, type GearTable } from './chunker.ts';
import type { Hashed } from './workers/data-worker.ts';

/** Whoever is told the ids of its chunks, in order, some time after it gave the bytes. */
export interface ChunkOwner {
  /** Lower-case hexadecimal, in order; empty where a chunk is not hashed yet. */
  readonly chunks: string[];
  /** Chunks that were cut and are not hashed yet. */
  waiting: number;
}

export class StreamCutter {
  readonly #pipeline: ChunkPipeline;
  readonly #gear: GearTable;
  readonly #onChunks: () => void;
  #slab: Buffer | undefined;
  #filled = 0;
  /** Start of the chunk that is not cut yet. */
  #start = 0;
  #lengths: number[] = [];
  /** Whose each cut chunk is, and which of its chunks. */
  #owners: { readonly owner: ChunkOwner; readonly place: number }[] = [];
  #owner: ChunkOwner | undefined;
  #cutter: Cutter | undefined;

  /** `onChunks`: some owners know more of their chunks now. */
  constructor(pipeline: ChunkPipeline, gear: GearTable, onChunks: () => void) {
    this.#pipeline = pipeline;
    this.#gear = gear;
    this.#onChunks = onChunks;
  }

  begin(owner: ChunkOwner, cutting: Cutting): void {
    this.#owner = owner;
    this.#cutter = new Cutter(cutting, this.#gear);
  }

  async push(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      this.#slab ??= this.#pipeline.slab();
      const count = Math.min(bytes.length - at, this.#slab.length - this.#filled);
      this.#slab.set(bytes.subarray(at, at + count), this.#filled);
      at += count;
      this.#cut(this.#slab, this.#filled, this.#filled + count);
      this.#filled += count;
      if (this.#filled === this.#slab.length) await this.#send();
    }
  }

  /** The end of a file: what is left is its last chunk. */
  end(): void {
    if (this.#filled > this.#start) this.#take(this.#filled);
    this.#owner = undefined;
    this.#cutter = undefined;
  }

  /** Gives the workers what there is. */
  async flush(): Promise<void> {
    if (this.#lengths.length > 0) await this.#send();
  }

  #cut(slab: Buffer, from: number, to: number): void {
    for (let at = from; ; ) {
      const end = (this.#cutter as Cutter).next(slab, at, to);
      if (end === undefined) return;
      this.#take(end);
      at = end;
    }
  }

  #take(end: number): void {
    const owner = this.#owner as ChunkOwner;
    this.#lengths.push(end - this.#start);
    this.#owners.push({ owner, place: owner.chunks.push('') - 1 });
    owner.waiting++;
    this.#start = end;
  }

  async #send(): Promise<void> {
    const slab = this.#slab as Buffer;
    const rest = slab.subarray(this.#start, this.#filled);
    const next = rest.length > 0 ? this.#pipeline.slab() : undefined;
    if (next) rest.copy(next);
    const [lengths, owners] = [this.#lengths, this.#owners];
    this.#slab = next;
    this.#filled = rest.length;
    this.#start = 0;
    this.#lengths = [];
    this.#owners = [];
    const { hashed } = await this.#pipeline.cut(slab, lengths);
    hashed.then(
      (message) => this.#told(message, owners),
      () => {},
    );
  }

  /** Slabs of one file are hashed by several workers: their answers come in any order. */
  #told({ ids }: Hashed, owners: readonly { owner: ChunkOwner; place: number }[]): void {
    const hex = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('hex');
    for (const [number, { owner, place }] of owners.entries()) {
      owner.chunks[place] = hex.slice(number * CHUNK_ID_BYTES * 2, (number + 1) * CHUNK_ID_BYTES * 2);
      owner.waiting--;
    }
    this.#onChunks();
  }
}
