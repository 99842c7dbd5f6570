// Which chunks are known and where each lies: the newest in memory, the rest in sorted runs on disk, so that memory is bounded whatever the size.

import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fail } from '../errors/index.ts';
import type { ChunkRecord } from './chunk-record.ts';
import { ChunkTable } from './chunk-table.ts';
import { SortedRun } from './sorted-run.ts';

/** About 40 MB; 32 GiB of database pages before anything goes to disk. */
const MOST_IN_MEMORY = 512 * 1024;

export interface ChunkIndexOptions {
  /** Where runs are kept; default the system's temporary directory. */
  readonly directory?: string | undefined;
  /** Records in memory, at most 2^20; default 524,288. */
  readonly mostInMemory?: number | undefined;
}

export class ChunkIndex {
  readonly #directory: string;
  readonly #mostInMemory: number;
  #table = new ChunkTable();
  readonly #runs: SortedRun[] = [];

  constructor(options: ChunkIndexOptions = {}) {
    this.#directory = options.directory ?? tmpdir();
    this.#mostInMemory = options.mostInMemory ?? MOST_IN_MEMORY;
  }

  find(id: Buffer): ChunkRecord | undefined {
    const number = this.#table.find(id);
    if (number >= 0) return this.#table.get(number);
    for (const run of this.#runs) {
      const record = run.find(id);
      if (record) return record;
    }
    return undefined;
  }

  /** An id that is known already may get a second record; either place holds the same bytes. */
  add(id: Buffer, record: ChunkRecord): void {
    if (this.#table.size >= this.#mostInMemory) this.#spill();
    this.#table.add(id, record);
  }

  close(): void {
    for (const run of this.#runs.splice(0)) run.close();
    this.#table = new ChunkTable();
  }

  /** Throws `NO_SPACE` when the directory has no room for it. */
  #newRun(): SortedRun {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      return new SortedRun(this.#table, this.#directory);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
      return fail('NO_SPACE', `no room in '${this.#directory}' for the index of a large snapshot`, { cause });
    }
  }

  #spill(): void {
    this.#runs.unshift(this.#newRun());
    this.#table = new ChunkTable();
  }
}
