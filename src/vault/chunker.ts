// Cutting a stream into chunks: fixed page-aligned blocks for relation files, content-defined for everything else.

import { createCipheriv } from 'node:crypto';
import type { Chunking } from './types.ts';

/** Eight database pages: a changed page costs one small chunk, and a terabyte has 16 million ids. */
export const PAGES_CHUNK_BYTES = 64 * 1024;

const MINIMUM_BYTES = 16 * 1024;
const NORMAL_BYTES = 64 * 1024;
export const MAXIMUM_BYTES = 256 * 1024;
/** 18 bits before the normal size, 14 after: sizes gather around it (FastCDC, "normalized chunking"). */
const MASK_BEFORE = 0xffffc000 | 0;
const MASK_AFTER = 0xfffc0000 | 0;

export type GearTable = Uint32Array;

/** 256 numbers that only this vault has, so that sizes of chunks tell nothing about known files. */
export function gearTable(chunkingKey: Buffer): GearTable {
  const bytes = createCipheriv('aes-256-ctr', chunkingKey, Buffer.alloc(16)).update(Buffer.alloc(1024));
  return Uint32Array.from({ length: 256 }, (_, index) => bytes.readUInt32BE(index * 4));
}

/** Finds the cuts of one file whose bytes arrive in any pieces; each byte is looked at once. */
export class Cutter {
  readonly #chunking: Chunking;
  readonly #gear: GearTable;
  #length = 0;
  #hash = 0;

  constructor(chunking: Chunking, gear: GearTable) {
    this.#chunking = chunking;
    this.#gear = gear;
  }

  /** Where the current chunk ends, looking at `bytes` from `from` to `to`; `undefined` when it goes on behind. */
  next(bytes: Uint8Array, from: number, to: number): number | undefined {
    const end = this.#chunking === 'pages' ? this.#page(from, to) : this.#content(bytes, from, to);
    if (end === undefined) this.#length += to - from;
    else {
      this.#length = 0;
      this.#hash = 0;
    }
    return end;
  }

  #page(from: number, to: number): number | undefined {
    const end = from + PAGES_CHUNK_BYTES - this.#length;
    return end <= to ? end : undefined;
  }

  #content(bytes: Uint8Array, from: number, to: number): number | undefined {
    const start = from - this.#length;
    const normal = Math.min(to, start + NORMAL_BYTES);
    const last = Math.min(to, start + MAXIMUM_BYTES);
    const first = Math.max(from, Math.min(to, start + MINIMUM_BYTES));
    rolling[0] = this.#hash;
    let end = scan(bytes, this.#gear, first, normal, MASK_BEFORE);
    if (end === 0) end = scan(bytes, this.#gear, Math.max(first, normal), last, MASK_AFTER);
    this.#hash = rolling[0] as number;
    if (end > 0) return end;
    return last === start + MAXIMUM_BYTES ? last : undefined;
  }
}

/** The hash before and after a scan: a second result without an object for each. */
const rolling = new Int32Array(1);

/**
 * One behind the first byte from `at` to `to` where the hash has no bit of `mask`; 0 when there is none. By itself, in four steps a turn and
 * always with the same kinds of arrays, because it looks at every byte: as a method it took four times as long.
 */
function scan(bytes: Uint8Array, gear: GearTable, at: number, to: number, mask: number): number {
  let h = rolling[0] as number;
  const fours = to - 3;
  for (; at < fours; at += 4) {
    const a = ((h << 1) + (gear[bytes[at] as number] as number)) | 0;
    const b = ((a << 1) + (gear[bytes[at + 1] as number] as number)) | 0;
    const c = ((b << 1) + (gear[bytes[at + 2] as number] as number)) | 0;
    const d = ((c << 1) + (gear[bytes[at + 3] as number] as number)) | 0;
    if ((a & mask) === 0) return at + 1;
    if ((b & mask) === 0) return at + 2;
    if ((c & mask) === 0) return at + 3;
    if ((d & mask) === 0) return at + 4;
    h = d;
  }
  for (; at < to; at++) {
    h = ((h << 1) + (gear[bytes[at] as number] as number)) | 0;
    if ((h & mask) === 0) return at + 1;
  }
  rolling[0] = h;
  return 0;
}
