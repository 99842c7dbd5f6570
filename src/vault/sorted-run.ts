// Chunk records that do not fit in memory: a sorted file that is gone with the process, searched by two reads at most.

import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CHUNK_ID_BYTES } from './chunk-id.ts';
import { type ChunkRecord, RECORD_BYTES, readRecord } from './chunk-record.ts';
import type { ChunkTable } from './chunk-table.ts';

/** Records between two fence posts in memory: one read of 7.5 KB finds a chunk. */
const FENCE_RECORDS = 128;
/** Sixteen bits a record and four probes let one of 400 chunks that are not there cost a read. */
const FILTER_BITS = 16;
const FILTER_PROBES = 4;
const WRITE_RECORDS = 16_384;
/** Of the id, as far as a record number still fits beside it in 64 bits. */
const PREFIX_SHIFT = 20n;

export class SortedRun {
  readonly #file: number;
  readonly #size: number;
  readonly #fences: Buffer;
  readonly #filter: Uint32Array;
  readonly #page = Buffer.allocUnsafe(FENCE_RECORDS * RECORD_BYTES);

  /** Takes at most 2^20 records. The file has no name once this returns, so nothing is left behind whatever happens. */
  constructor(table: ChunkTable, directory: string) {
    const path = join(directory, `holdfast-index-${randomBytes(8).toString('hex')}`);
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    unlinkSync(path);
    this.#size = table.size;
    this.#fences = Buffer.allocUnsafe(Math.ceil(this.#size / FENCE_RECORDS) * CHUNK_ID_BYTES);
    this.#filter = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(2, (this.#size * FILTER_BITS) / 32))));
    try {
      this.#write(table, sortedNumbers(table));
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  find(id: Buffer): ChunkRecord | undefined {
    if (!this.#mayHave(id)) return undefined;
    const page = this.#pageOf(id);
    if (page < 0) return undefined;
    const first = page * FENCE_RECORDS;
    const count = Math.min(FENCE_RECORDS, this.#size - first);
    readFully(this.#file, this.#page.subarray(0, count * RECORD_BYTES), first * RECORD_BYTES);
    for (let low = 0, high = count - 1; low <= high; ) {
      const middle = (low + high) >> 1;
      const at = middle * RECORD_BYTES;
      const order = id.compare(this.#page, at, at + CHUNK_ID_BYTES);
      if (order === 0) return readRecord(this.#page, at);
      if (order < 0) high = middle - 1;
      else low = middle + 1;
    }
    return undefined;
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(table: ChunkTable, order: readonly number[] | Uint32Array): void {
    const block = Buffer.allocUnsafe(WRITE_RECORDS * RECORD_BYTES);
    let length = 0;
    for (const [position, number] of order.entries()) {
      const bytes = table.bytesOf(number);
      bytes.copy(block, length);
      length += RECORD_BYTES;
      this.#note(bytes);
      if (position % FENCE_RECORDS === 0) {
        bytes.copy(this.#fences, (position / FENCE_RECORDS) * CHUNK_ID_BYTES, 0, CHUNK_ID_BYTES);
      }
      if (length === block.length || position === order.length - 1) {
        for (let done = 0; done < length; ) done += writeSync(this.#file, block, done, length - done);
        length = 0;
      }
    }
  }

  /** Number of the last fence that is not above `id`; -1 when all are. */
  #pageOf(id: Buffer): number {
    let low = 0;
    let high = this.#fences.length / CHUNK_ID_BYTES - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = middle * CHUNK_ID_BYTES;
      if (id.compare(this.#fences, at, at + CHUNK_ID_BYTES) < 0) high = middle - 1;
      else low = middle + 1;
    }
    return high;
  }

  #note(id: Buffer): void {
    for (let probe = 0; probe < FILTER_PROBES; probe++) {
      const [word, bit] = this.#bitOf(id, probe);
      this.#filter[word] = (this.#filter[word] as number) | bit;
    }
  }

  #mayHave(id: Buffer): boolean {
    for (let probe = 0; probe < FILTER_PROBES; probe++) {
      const [word, bit] = this.#bitOf(id, probe);
      if (((this.#filter[word] as number) & bit) === 0) return false;
    }
    return true;
  }

  /** Ids are keyed hashes: each four bytes of one are an independent probe. */
  #bitOf(id: Buffer, probe: number): [word: number, bit: number] {
    const value = id.readUInt32LE(8 + probe * 4);
    return [(value >>> 5) & (this.#filter.length - 1), 1 << (value & 31)];
  }
}

/** Record numbers in the order of their ids. */
function sortedNumbers(table: ChunkTable): Uint32Array {
  const keys = new BigUint64Array(table.size);
  for (let number = 0; number < table.size; number++) {
    const prefix = table.bytesOf(number).readBigUInt64BE(0) >> PREFIX_SHIFT;
    keys[number] = (prefix << PREFIX_SHIFT) | BigInt(number);
  }
  keys.sort();
  const order = new Uint32Array(keys.length);
  const numberBits = (1n << PREFIX_SHIFT) - 1n;
  for (let at = 0; at < order.length; at++) order[at] = Number((keys[at] as bigint) & numberBits);
  // Ids that share the whole prefix are rare: put them right by insertion.
  for (let at = 1; at < order.length; at++) {
    for (let back = at; back > 0; back--) {
      const [a, b] = [order[back - 1] as number, order[back] as number];
      const isInOrder = table.bytesOf(a).compare(table.bytesOf(b), 0, CHUNK_ID_BYTES, 0, CHUNK_ID_BYTES) <= 0;
      if (isInOrder) break;
      order[back - 1] = b;
      order[back] = a;
    }
  }
  return order;
}

function readFully(file: number, into: Buffer, position: number): void {
  for (let done = 0; done < into.length; ) {
    const count = readSync(file, into, done, into.length - done, position + done);
    if (count === 0) throw new Error('a sorted run of chunk records ends early');
    done += count;
  }
}
