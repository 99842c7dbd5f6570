// Cutting a stream into chunks: fixed page-aligned blocks for relation files, content-defined for everything else.

import { createCipheriv } from 'node:crypto';
import type { Chunking } from './types.ts';

/** Eight database pages: a changed page costs one small chunk, and a terabyte has 16 million ids. */
export const PAGES_CHUNK_BYTES = 64 * 1024;

const MINIMUM_BYTES = 16 * 1024;
const NORMAL_BYTES = 64 * 1024;
const MAXIMUM_BYTES = 256 * 1024;
/** 18 bits before the normal size, 14 after: sizes gather around it (FastCDC, "normalized chunking"). */
const MASK_BEFORE = 0xffffc000;
const MASK_AFTER = 0xfffc0000;

export type GearTable = Uint32Array;

/** 256 numbers that only this vault has, so that sizes of chunks tell nothing about known files. */
export function gearTable(chunkingKey: Buffer): GearTable {
  const bytes = createCipheriv('aes-256-ctr', chunkingKey, Buffer.alloc(16)).update(Buffer.alloc(1024));
  return Uint32Array.from({ length: 256 }, (_, index) => bytes.readUInt32BE(index * 4));
}

/** Where the first chunk of `bytes` ends; `bytes.length` when it has no cut yet and is no whole chunk either. */
function contentCut(gear: GearTable, bytes: Uint8Array): number | undefined {
  const end = Math.min(bytes.length, MAXIMUM_BYTES);
  let hash = 0;
  for (let i = MINIMUM_BYTES; i < end; i++) {
    hash = ((hash << 1) + (gear[bytes[i] as number] as number)) | 0;
    if ((hash & (i < NORMAL_BYTES ? MASK_BEFORE : MASK_AFTER)) === 0) return i + 1;
  }
  return bytes.length >= MAXIMUM_BYTES ? MAXIMUM_BYTES : undefined;
}

/** Collects pushed bytes and gives back whole chunks; a chunk's bytes are its own (never reused by the source). */
export class Chunker {
  readonly #chunking: Chunking;
  readonly #gear: GearTable;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(chunking: Chunking, gear: GearTable) {
    this.#chunking = chunking;
    this.#gear = gear;
  }

  /** Chunks that are complete with these bytes. */
  push(bytes: Uint8Array): Buffer[] {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    const wanted = this.#chunking === 'pages' ? PAGES_CHUNK_BYTES : MAXIMUM_BYTES;
    if (this.#length < wanted) return [];
    return this.#cut(false);
  }

  /** The rest. */
  end(): Buffer[] {
    return this.#length === 0 ? [] : this.#cut(true);
  }

  #cut(atEnd: boolean): Buffer[] {
    // One copy here frees the source to reuse its buffers while chunks wait for the compressor.
    const bytes = Buffer.concat(this.#parts, this.#length);
    const chunks: Buffer[] = [];
    let start = 0;
    while (start < bytes.length) {
      const rest = bytes.subarray(start);
      const length = this.#next(rest, atEnd);
      if (length === undefined) break;
      chunks.push(rest.subarray(0, length));
      start += length;
    }
    this.#parts = start < bytes.length ? [bytes.subarray(start)] : [];
    this.#length = bytes.length - start;
    return chunks;
  }

  #next(rest: Buffer, atEnd: boolean): number | undefined {
    if (this.#chunking === 'pages') {
      if (rest.length >= PAGES_CHUNK_BYTES) return PAGES_CHUNK_BYTES;
      return atEnd ? rest.length : undefined;
    }
    // Without the maximum in hand a cut further on could still be missed: wait, so that cuts never depend on how bytes arrive.
    if (!atEnd && rest.length < MAXIMUM_BYTES) return undefined;
    return contentCut(this.#gear, rest) ?? rest.length;
  }
}
