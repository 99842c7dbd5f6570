// A pack's own index: its frames in order and the chunks in each (docs/vault-format.md, section 6).

import { fail } from '../errors/index.ts';
import { CHUNK_ID_BYTES } from './chunk-id.ts';

const FRAME_ENTRY_BYTES = 16;
const CHUNK_ENTRY_BYTES = CHUNK_ID_BYTES + 4;
/** A reader must be able to hold a frame whatever a pack claims. */
export const LARGEST_FRAME_BYTES = 16 * 1024 * 1024;

/** Where a frame lies in its pack and how it is opened. */
export interface FramePlace {
  /** Of the ciphertext in the pack. */
  readonly offset: number;
  /** Without the tag. */
  readonly storedLength: number;
  readonly plainLength: number;
  readonly codec: number;
}

/** Where a chunk lies in the plain bytes of its frame. */
export interface ChunkPlace {
  readonly frame: FramePlace;
  readonly offset: number;
  readonly length: number;
}

/** Collects the index of a pack that is being filled. */
export class PackIndexBuilder {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #length = 0;
  frames = 0;

  /** `ids`: the chunk ids one after another; `lengths`: of the chunks. */
  add(place: FramePlace, ids: Uint8Array, lengths: readonly number[]): void {
    this.#reserve(FRAME_ENTRY_BYTES + lengths.length * CHUNK_ENTRY_BYTES);
    const bytes = this.#bytes;
    let at = this.#length;
    at = bytes.writeUInt32BE(place.offset, at);
    at = bytes.writeUInt32BE(place.storedLength, at);
    at = bytes.writeUInt32BE(place.plainLength, at);
    at = bytes.writeUInt8(place.codec, at);
    at = bytes.writeUIntBE(lengths.length, at, 3);
    for (const [number, length] of lengths.entries()) {
      bytes.set(ids.subarray(number * CHUNK_ID_BYTES, (number + 1) * CHUNK_ID_BYTES), at);
      at = bytes.writeUInt32BE(length, at + CHUNK_ID_BYTES);
    }
    this.#length = at;
    this.frames++;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

export interface IndexedFrame {
  readonly place: FramePlace;
  /** Number of chunks; the n-th one's id and length are read by `chunkAt`. */
  readonly count: number;
  /** Of the first chunk's entry in the index. */
  readonly at: number;
}

/** The frames of an index. Throws `OBJECT_DAMAGED` where it contradicts itself: frames overlap, lengths do not add up, or it ends in the middle. */
export function* framesOf(index: Buffer, what: string): Generator<IndexedFrame> {
  let end = 0;
  for (let at = 0; at < index.length; ) {
    if (at + FRAME_ENTRY_BYTES > index.length) fail('OBJECT_DAMAGED', `the index of ${what} ends in the middle`);
    const place = {
      offset: index.readUInt32BE(at),
      storedLength: index.readUInt32BE(at + 4),
      plainLength: index.readUInt32BE(at + 8),
      codec: index.readUInt8(at + 12),
    };
    const count = index.readUIntBE(at + 13, 3);
    const first = at + FRAME_ENTRY_BYTES;
    at = first + count * CHUNK_ENTRY_BYTES;
    if (at > index.length) fail('OBJECT_DAMAGED', `the index of ${what} ends in the middle`);
    const isSane = count > 0 && place.offset >= end && place.plainLength <= LARGEST_FRAME_BYTES;
    if (!isSane || lengthOf(index, first, count) !== place.plainLength) {
      fail('OBJECT_DAMAGED', `the index of ${what} contradicts itself`);
    }
    end = place.offset + place.storedLength;
    yield { place, count, at: first };
  }
}

function lengthOf(index: Buffer, first: number, count: number): number {
  let sum = 0;
  for (let number = 0; number < count; number++) {
    const length = index.readUInt32BE(first + number * CHUNK_ENTRY_BYTES + CHUNK_ID_BYTES);
    if (length === 0) return -1;
    sum += length;
  }
  return sum;
}

/** Calls `visit` for every chunk of a frame; `id` is a view of the index. */
export function eachChunkOf(
  index: Buffer,
  frame: IndexedFrame,
  visit: (id: Buffer, offset: number, length: number) => void,
): void {
  let offset = 0;
  for (let number = 0; number < frame.count; number++) {
    const at = frame.at + number * CHUNK_ENTRY_BYTES;
    const length = index.readUInt32BE(at + CHUNK_ID_BYTES);
    visit(index.subarray(at, at + CHUNK_ID_BYTES), offset, length);
    offset += length;
  }
}

/** Calls `visit` for every chunk of a pack. Throws as `framesOf` does. */
export function eachChunk(index: Buffer, what: string, visit: (id: Buffer, place: ChunkPlace) => void): number {
  let chunks = 0;
  for (const frame of framesOf(index, what)) {
    eachChunkOf(index, frame, (id, offset, length) => visit(id, { frame: frame.place, offset, length }));
    chunks += frame.count;
  }
  return chunks;
}
