// Where a chunk lies, as a fixed number of bytes: the same in memory and in a sorted run on disk.

import { CHUNK_ID_BYTES } from './chunk-id.ts';
import type { ChunkPlace } from './pack-index.ts';

/** The id, then seven 32-bit numbers. */
export const RECORD_BYTES = CHUNK_ID_BYTES + 7 * 4;

export interface ChunkRecord extends ChunkPlace {
  /** Number of the pack in the owner's list; `NEW_PACK` while the chunk is on its way into one. */
  readonly pack: number;
}

export const NEW_PACK = 0xffff_ffff;

/** The record of a chunk whose place is not known yet. */
export const NEW_CHUNK: ChunkRecord = {
  pack: NEW_PACK,
  frame: { offset: 0, storedLength: 0, plainLength: 0, codec: 0 },
  offset: 0,
  length: 0,
};

export function writeRecord(
  bytes: Buffer,
  at: number,
  id: Uint8Array,
  { pack, frame, offset, length }: ChunkRecord,
): void {
  bytes.set(id, at);
  let next = bytes.writeUInt32LE(pack, at + CHUNK_ID_BYTES);
  next = bytes.writeUInt32LE(frame.offset, next);
  next = bytes.writeUInt32LE(frame.storedLength, next);
  next = bytes.writeUInt32LE(frame.plainLength, next);
  next = bytes.writeUInt32LE(frame.codec, next);
  next = bytes.writeUInt32LE(offset, next);
  bytes.writeUInt32LE(length, next);
}

export function readRecord(bytes: Buffer, at: number): ChunkRecord {
  const from = at + CHUNK_ID_BYTES;
  return {
    pack: bytes.readUInt32LE(from),
    frame: {
      offset: bytes.readUInt32LE(from + 4),
      storedLength: bytes.readUInt32LE(from + 8),
      plainLength: bytes.readUInt32LE(from + 12),
      codec: bytes.readUInt32LE(from + 16),
    },
    offset: bytes.readUInt32LE(from + 20),
    length: bytes.readUInt32LE(from + 24),
  };
}
