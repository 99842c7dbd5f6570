// The tree of a snapshot while it is written: entries in the order they were given, each as soon as its chunks are known.

import { createHash } from 'node:crypto';
import { shownPath } from '../domain/path-text.ts';
import { fail } from '../errors/index.ts';
import type { ChunkPipeline } from './chunk-pipeline.ts';
import type { GearTable } from './chunker.ts';
import { type ChunkOwner, StreamCutter } from './stream-cutter.ts';
import { isEntry, lineOf } from './tree-entry.ts';
import type { TreeEntry } from './types.ts';

/** An entry of which everything but some chunk ids may be known. */
export interface PendingEntry extends ChunkOwner {
  /** Set when the bytes have ended; `null` for an entry that is left out after all. A function is asked when everything in front of it is known. */
  entry: Omit<TreeEntry, 'chunks'> | null | undefined | (() => TreeEntry | undefined);
  /** Ids that come before those of its own chunks. */
  kept?: readonly string[];
  /** The whole entry as it is to be written. */
  readonly line?: string;
}

/** Waiting entries of which nothing more has to be known: enough that writing them down costs little, few enough to keep. */
const FLUSH_ENTRIES = 512;

/** Writing again what was read a moment ago would cost as much as reading it. */
function known(whole: TreeEntry): PendingEntry {
  const line = lineOf(whole);
  if (line !== undefined) return { entry: whole, chunks: [], waiting: 0, line };
  const { chunks, ...entry } = whole;
  return { entry, chunks: [...(chunks ?? [])], waiting: 0 };
}

export class TreeWriter {
  readonly #cutter: StreamCutter;
  readonly #hash = createHash('sha256');
  readonly #owner: ChunkOwner = { chunks: [], waiting: 0 };
  readonly #queue: PendingEntry[] = [];
  #lines: string[] = [];
  #bytes = 0;
  #added = 0;
  /** An entry that no reader would take: nothing is written from there on. */
  #refused: string | undefined;
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
  async add(entry: TreeEntry | (() => TreeEntry | undefined)): Promise<void> {
    if (typeof entry === 'function') this.#queue.push({ entry, chunks: [], waiting: 0 });
    else this.#queue.push(known(entry));
    if (++this.#added % FLUSH_ENTRIES === 0) await this.flush();
  }

  /** Takes note of the entries that are complete now. Does not throw, as it is called from callbacks: `flush` does. */
  settle(): void {
    if (this.#refused !== undefined) return;
    let done = 0;
    for (const { entry: told, kept = [], chunks, waiting, line } of this.#queue) {
      if (told === undefined || waiting > 0) break;
      done++;
      if (line !== undefined) {
        this.#lines.push(line);
        continue;
      }
      const entry = typeof told === 'function' ? told() : told;
      if (!entry) continue;
      const whole = entry.type === 'file' ? { ...entry, chunks: [...kept, ...chunks] } : entry;
      if (!isEntry(whole)) {
        this.#refused = entry.path;
        break;
      }
      this.#lines.push(JSON.stringify(whole));
    }
    if (done > 0) this.#queue.splice(0, done);
  }

  /** Throws `INTERNAL` for an entry that a reader would refuse: a snapshot that has it could never be read. */
  async flush(): Promise<void> {
    this.settle();
    if (this.#refused !== undefined) fail('INTERNAL', `'${shownPath(this.#refused)}' would be no entry of a tree`);
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
