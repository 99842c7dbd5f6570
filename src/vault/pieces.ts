// A file made of parts of chunks: three numbers for each part, in the order of the file (docs/vault-format.md, section 7).

import { shownPath } from '../domain/path-text.ts';
import { fail } from '../errors/index.ts';
import type { TreeEntry } from './types.ts';

/** Numbers for one piece: index into the entry's chunks, offset in that chunk's plain bytes, length. */
export const PIECE_NUMBERS = 3;
/** A relation segment of 1 GiB with the smallest page size has as many pages. */
export const MOST_PIECES = 1024 * 1024;

/** `length` bytes at `offset` of the chunk with the number `chunk` in its entry. */
export interface Piece {
  readonly chunk: number;
  readonly offset: number;
  readonly length: number;
}

/** Whether `pieces` can be those of a file: what the lengths of its chunks have to say is not known yet. */
export function arePieces(pieces: unknown, chunkCount: number, sizeBytes: number): pieces is readonly number[] {
  if (!Array.isArray(pieces) || pieces.length === 0 || pieces.length % PIECE_NUMBERS !== 0) return false;
  if (pieces.length > MOST_PIECES * PIECE_NUMBERS) return false;
  let length = 0;
  for (let at = 0; at < pieces.length; at += PIECE_NUMBERS) {
    if (!isCount(pieces[at], chunkCount - 1) || !isCount(pieces[at + 1], sizeLimit)) return false;
    if (!isCount(pieces[at + 2], sizeLimit) || pieces[at + 2] === 0) return false;
    length += pieces[at + 2];
  }
  return length === sizeBytes;
}

/** No chunk is as long. */
const sizeLimit = 0xffff_ffff;

/**
 * The pieces of a file in its order; of a file without, its chunks. Throws `OBJECT_DAMAGED` when one lies outside of its chunk, or when all
 * together are not as long as the file. `lengths`: of the entry's chunks.
 */
export function* piecesOf(
  { path, pieces, sizeBytes }: Pick<TreeEntry, 'path' | 'pieces' | 'sizeBytes'>,
  lengths: ArrayLike<number>,
): Generator<Piece> {
  let total = 0;
  const count = pieces ? pieces.length / PIECE_NUMBERS : lengths.length;
  for (let number = 0; number < count; number++) {
    const piece = pieces ? pieceAt(pieces, number) : { chunk: number, offset: 0, length: lengths[number] as number };
    const chunkLength = lengths[piece.chunk] ?? 0;
    if (piece.offset + piece.length > chunkLength) {
      fail('OBJECT_DAMAGED', `'${shownPath(path)}' has a piece outside of its chunk, which has ${chunkLength} bytes`);
    }
    total += piece.length;
    yield piece;
  }
  if (total !== sizeBytes) {
    fail(
      'OBJECT_DAMAGED',
      `'${shownPath(path)}' is not what was captured: its chunks have ${total} bytes, it has ${sizeBytes}`,
    );
  }
}

export function pieceAt(pieces: readonly number[], number: number): Piece {
  const at = number * PIECE_NUMBERS;
  return { chunk: pieces[at] as number, offset: pieces[at + 1] as number, length: pieces[at + 2] as number };
}

function isCount(value: unknown, limit: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= limit;
}
