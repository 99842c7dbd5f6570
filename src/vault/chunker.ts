// Cutting a stream into chunks: fixed page-aligned blocks for relation files, content-defined for everything else.

import { createCipheriv } from 'node:crypto';
import type { Chunking } from './types.ts';

/** Eight database pages: a changed page costs one small chunk, and a terabyte has 16 million ids. */
export const PAGES_CHUNK_BYTES = 64 * 1024;

const MINIMUM_BYTES = 16 * 1024;
const NORMAL_BYTES = 64 * 1024;
export const MAXIMUM_BYTES = 256 * 1024;
/** 18 bits before the normal size, 14 after: sizes gather around it (FastCDC, "normalized chunking"). */
const MASK_BEFORE = 0xffffc000;
const MASK_AFTER = 0xfffc0000;

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
    const gear = this.#gear;
    const start = from - this.#length;
    const normal = Math.min(to, start + NORMAL_BYTES);
    const last = Math.min(to, start + MAXIMUM_BYTES);
    let hash = this.#hash;
    let at = Math.max(from, Math.min(to, start + MINIMUM_BYTES));
    for (; at < normal; at++) {
      hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
      if ((hash & MASK_BEFORE) === 0) return at + 1;
    }
    for (; at < last; at++) {
      hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
      if ((hash & MASK_AFTER) === 0) return at + 1;
    }
    this.#hash = hash;
    return last === start + MAXIMUM_BYTES ? last : undefined;
  }
}
