// The tree of a snapshot while it is written: entries in the order they were given, each as soon as its chunks are known.

import { createHash } from 'node:crypto';
import type { ChunkPipeline } from './chunk-pipeline.ts';
import type { GearTable } from './chunker.ts';
import { type ChunkOwner, StreamCutter } from './stream-cutter.ts';
import type { TreeEntry } from './types.ts';

/** An entry of which everything but some chunk ids may be known. */
export interface PendingEntry extends ChunkOwner {
  /** Set when the bytes have ended; `null` for an entry that is left out after all. */
  entry: Omit<TreeEntry, 'chunks'> | null | undefined;
  /** Ids that come before those of its own chunks. */
  kept?: readonly string[];
}

/** Waiting entries of which nothing more has to be known: enough that writing them down costs little, few enough to keep. */
const FLUSH_ENTRIES = 512;

export class TreeWriter {
  readonly #cutter: StreamCutter;
  readonly #hash = createHash('sha256');
  readonly #owner: ChunkOwner = { chunks: [], waiting: 0 };
  readonly #queue: PendingEntry[] = [];
  #lines: string[] = [];
  #bytes = 0;
  #added = 0;
  /** Lines are cut in their order, whoever flushes. */
  #pushing: Promise<void> = Promise.resolve();

  constructor(pipeline: ChunkPipeline, gear: GearTable) {
    this.#cutter = new StreamCutter(pipeline, gear, () => {});
    this.#cutter.begin(this.#owner, 'tree');
  }

  /** Reserves the next place in the tree. */
  open(): PendingEntry {
    const pending: PendingEntry = { entry: undefined, chunks: [], waiting: 0 };
    this.#queue.push(pending);
    return pending;
  }

  /** Resolves when there is room for more: a tree without anything new would be all in memory otherwise. */
  async add(entry: TreeEntry): Promise<void> {
    const { chunks, ...rest } = entry;
    this.#queue.push({ entry: rest, chunks: [...(chunks ?? [])], waiting: 0 });
    if (++this.#added % FLUSH_ENTRIES === 0) await this.flush();
  }

  /** Takes note of the entries that are complete now. */
  settle(): void {
    let done = 0;
    for (const { entry, kept = [], chunks, waiting } of this.#queue) {
      if (entry === undefined || waiting > 0) break;
      done++;
      if (entry === null) continue;
      this.#lines.push(JSON.stringify(entry.type === 'file' ? { ...entry, chunks: [...kept, ...chunks] } : entry));
    }
    if (done > 0) this.#queue.splice(0, done);
  }

  async flush(): Promise<void> {
    this.settle();
    if (this.#lines.length === 0) return this.#pushing;
    const bytes = Buffer.from(`${this.#lines.join('\n')}\n`);
    this.#lines = [];
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    this.#pushing = this.#pushing.then(() => this.#cutter.push(bytes));
    await this.#pushing;
  }

  async end(): Promise<void> {
    await this.flush();
    this.#cutter.end();
    await this.#cutter.flush();
  }

  /** Once the pipeline has finished. */
  get result(): { tree: readonly string[]; treeBytes: number; treeSha256: string } {
    return { tree: this.#owner.chunks, treeBytes: this.#bytes, treeSha256: this.#hash.digest('hex') };
  }
}
