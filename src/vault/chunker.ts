// Cutting a stream into chunks: fixed page-aligned blocks for relation files, content-defined for everything else, around sizes that fit its kind.

import { createCipheriv } from 'node:crypto';
import type { Chunking } from './types.ts';

/** Eight database pages: a changed page costs one small chunk, and a terabyte has 16 million ids. */
export const PAGES_CHUNK_BYTES = 64 * 1024;

/** Lengths of the chunks of so many bytes that are cut into pages, from a place where a chunk begins. */
export function pageChunks(lengthBytes: number): number[] {
  const lengths: number[] = [];
  for (let left = lengthBytes; left > 0; left -= PAGES_CHUNK_BYTES) lengths.push(Math.min(left, PAGES_CHUNK_BYTES));
  return lengths;
}

/** How a stream is cut: files as their entry says, and the tree of a snapshot, of which a few lines change here and there, finer. */
export type Cutting = Chunking | 'tree';

interface Sizes {
  readonly minimumBytes: number;
  readonly normalBytes: number;
  readonly maximumBytes: number;
  /** So many bits are nought at a cut: two more before the normal size than it has by itself, two fewer after, so that sizes gather around it (FastCDC, "normalized chunking"). */
  readonly maskBefore: number;
  readonly maskAfter: number;
}

const sizes: Readonly<Record<'content' | 'tree', Sizes>> = {
  content: sizesAround(64 * 1024),
  // Finer, less of a changed tree is stored again; but every manifest has the ids of all its chunks.
  tree: sizesAround(16 * 1024),
};
export const MAXIMUM_BYTES = sizes.content.maximumBytes;

function sizesAround(normalBytes: number): Sizes {
  const highest = (bits: number) => -(2 ** (32 - bits)) | 0;
  const bits = Math.log2(normalBytes);
  const [maskBefore, maskAfter] = [highest(bits + 2), highest(bits - 2)];
  return { minimumBytes: normalBytes / 4, normalBytes, maximumBytes: 4 * normalBytes, maskBefore, maskAfter };
}

export type GearTable = Uint32Array;

/** 256 numbers that only this vault has, so that sizes of chunks tell nothing about known files. */
export function gearTable(chunkingKey: Buffer): GearTable {
  const bytes = createCipheriv('aes-256-ctr', chunkingKey, Buffer.alloc(16)).update(Buffer.alloc(1024));
  return Uint32Array.from({ length: 256 }, (_, index) => bytes.readUInt32BE(index * 4));
}

/** Finds the cuts of one file whose bytes arrive in any pieces; each byte is looked at once. */
export class Cutter {
  readonly #sizes: Sizes | undefined;
  readonly #gear: GearTable;
  #length = 0;
  #hash = 0;

  constructor(cutting: Cutting, gear: GearTable) {
    this.#sizes = cutting === 'pages' ? undefined : sizes[cutting];
    this.#gear = gear;
  }

  /** Where the current chunk ends, looking at `bytes` from `from` to `to`; `undefined` when it goes on behind. */
  next(bytes: Uint8Array, from: number, to: number): number | undefined {
    const end = this.#sizes ? this.#content(this.#sizes, bytes, from, to) : this.#page(from, to);
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

  #content(
    { minimumBytes, normalBytes, maximumBytes, maskBefore, maskAfter }: Sizes,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): number | undefined {
    const start = from - this.#length;
    const normal = Math.min(to, start + normalBytes);
    const last = Math.min(to, start + maximumBytes);
    const first = Math.max(from, Math.min(to, start + minimumBytes));
    rolling[0] = this.#hash;
    let end = scan(bytes, this.#gear, first, normal, maskBefore);
    if (end === 0) end = scan(bytes, this.#gear, Math.max(first, normal), last, maskAfter);
    this.#hash = rolling[0] as number;
    if (end > 0) return end;
    return last === start + maximumBytes ? last : undefined;
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
