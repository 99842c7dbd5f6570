// A compact set of chunk ids with where each lies; the interface that a sorted file on disk can take over later.

import { CHUNK_ID_BYTES } from './pack.ts';

const RECORD_BYTES = CHUNK_ID_BYTES + 4 + 13;
const SLAB_RECORDS = 16_384;

export interface ChunkRecord {
  /** Number of the pack in the owner's list; `PENDING` while the chunk is on its way into one. */
  readonly pack: number;
  readonly offset: number;
  readonly storedLength: number;
  readonly plainLength: number;
  readonly codec: number;
}

export const PENDING = 0xffff_ffff;

/** Open addressing over slabs: 49 bytes a record and 8 to 16 for its slots, so about 1 MB per gigabyte of database. */
export class ChunkTable {
  #slots = new Uint32Array(1 << 16); // record number + 1
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
    return {
      pack: slab.readUInt32LE(at + 32),
      offset: slab.readUInt32LE(at + 36),
      storedLength: slab.readUInt32LE(at + 40),
      plainLength: slab.readUInt32LE(at + 44),
      codec: slab.readUInt8(at + 48),
    };
  }

  /** Adds `id`, or does nothing and gives `false` when it is there. */
  add(id: Buffer, record: ChunkRecord): boolean {
    if (this.find(id) >= 0) return false;
    if ((this.#size + 1) * 2 > this.#slots.length) this.#grow();
    if (this.#size % SLAB_RECORDS === 0) this.#slabs.push(Buffer.allocUnsafeSlow(SLAB_RECORDS * RECORD_BYTES));
    const [slab, at] = this.#at(this.#size);
    id.copy(slab, at, 0, CHUNK_ID_BYTES);
    slab.writeUInt32LE(record.pack, at + 32);
    slab.writeUInt32LE(record.offset, at + 36);
    slab.writeUInt32LE(record.storedLength, at + 40);
    slab.writeUInt32LE(record.plainLength, at + 44);
    slab.writeUInt8(record.codec, at + 48);
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
