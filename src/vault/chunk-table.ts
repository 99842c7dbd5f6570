// A compact set of chunk ids in memory with where each lies.

import { CHUNK_ID_BYTES } from './chunk-id.ts';
import { type ChunkRecord, RECORD_BYTES, readRecord, writeRecord } from './chunk-record.ts';

/** 60 KiB: most snapshots that are opened are small. */
const SLAB_RECORDS = 1024;

/** Open addressing over slabs: 60 bytes a record and 8 to 16 for its slots. */
export class ChunkTable {
  #slots = new Uint32Array(1 << 10); // record number + 1
  readonly #slabs: Buffer[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Number of the record or -1. Ids are keyed hashes, so their first bytes are as good a hash as any. */
  find(id: Buffer): number {
    const mask = this.#slots.length - 1;
    for (let slot = id.readUInt32LE(0) & mask; ; slot = (slot + 1) & mask) {
      const record = this.#slots[slot] as number;
      if (record === 0) return -1;
      if (this.#idEquals(record - 1, id)) return record - 1;
    }
  }

  get(number: number): ChunkRecord {
    const [slab, at] = this.#at(number);
    return readRecord(slab, at);
  }

  /** The record's bytes, id first; a view. */
  bytesOf(number: number): Buffer {
    const [slab, at] = this.#at(number);
    return slab.subarray(at, at + RECORD_BYTES);
  }

  /** Adds `id`, or does nothing and gives `false` when it is there. */
  add(id: Buffer, record: ChunkRecord): boolean {
    if (this.find(id) >= 0) return false;
    if ((this.#size + 1) * 2 > this.#slots.length) this.#grow();
    if (this.#size % SLAB_RECORDS === 0) this.#slabs.push(Buffer.allocUnsafeSlow(SLAB_RECORDS * RECORD_BYTES));
    const [slab, at] = this.#at(this.#size);
    writeRecord(slab, at, id, record);
    this.#place(id.readUInt32LE(0), this.#size + 1);
    this.#size++;
    return true;
  }

  #place(hash: number, record: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = record;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let record = 0; record < this.#size; record++) {
      const [slab, at] = this.#at(record);
      this.#place(slab.readUInt32LE(at), record + 1);
    }
  }

  #idEquals(record: number, id: Buffer): boolean {
    const [slab, at] = this.#at(record);
    return id.compare(slab, at, at + CHUNK_ID_BYTES, 0, CHUNK_ID_BYTES) === 0;
  }

  #at(record: number): [Buffer, number] {
    return [this.#slabs[Math.floor(record / SLAB_RECORDS)] as Buffer, (record % SLAB_RECORDS) * RECORD_BYTES];
  }
}
