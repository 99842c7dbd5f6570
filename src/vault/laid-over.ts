// A file laid over an earlier one: which parts of which chunks it is made of, composed without reading any of them.

import { shownPath } from '../domain/path-text.ts';
import { fail } from '../errors/index.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { NEW_PACK } from './chunk-record.ts';
import { PIECE_NUMBERS, piecesOf } from './pieces.ts';
import type { TreeEntry } from './types.ts';

/** What is new is cut into chunks of this length, however scattered its places are. */
const FRESH_CHUNK_BYTES = 64 * 1024;

/** The parent's file as pieces with their positions. */
export class LaidParent {
  readonly entry: TreeEntry;
  /** Of its chunks. */
  readonly lengths: readonly number[];
  readonly #starts: number[] = [];
  readonly #pieces: number[] = [];

  private constructor(entry: TreeEntry, lengths: readonly number[]) {
    this.entry = entry;
    this.lengths = lengths;
    let position = 0;
    for (const { chunk, offset, length } of piecesOf(entry, lengths)) {
      this.#starts.push(position);
      this.#pieces.push(chunk, offset, length);
      position += length;
    }
  }

  /** Undefined when the vault does not know where one of its chunks lies. */
  static open(entry: TreeEntry, index: ChunkIndex): LaidParent | undefined {
    const lengths: number[] = [];
    for (const id of entry.chunks ?? []) {
      const record = index.find(Buffer.from(id, 'hex'));
      if (!record || record.pack === NEW_PACK) return undefined;
      lengths.push(record.length);
    }
    return new LaidParent(entry, lengths);
  }

  /** The parts of chunks that are `lengthBytes` at `positionBytes`. */
  *parts(
    positionBytes: number,
    lengthBytes: number,
  ): Generator<readonly [chunk: number, offset: number, length: number]> {
    const end = positionBytes + lengthBytes;
    for (let number = this.#last(positionBytes), at = positionBytes; at < end; number++) {
      const from = number * PIECE_NUMBERS;
      const [chunk = 0, offset = 0, length = 0] = this.#pieces.slice(from, from + PIECE_NUMBERS);
      const skipped = at - (this.#starts[number] as number);
      const taken = Math.min(length - skipped, end - at);
      yield [chunk, offset + skipped, taken];
      at += taken;
    }
  }

  /** The last piece that begins at or before the position. */
  #last(position: number): number {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#starts[middle] as number) <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Gathers what the file is made of; chunks of the parent come before new ones. */
export class LaidOver {
  readonly #parent: LaidParent;
  /** Numbers of the parent's chunks that are used, and their numbers in the new entry. */
  readonly #used = new Map<number, number>();
  /** As in a tree, but a new chunk has a negative number: -1 for the first. */
  readonly #pieces: number[] = [];
  sizeBytes = 0;
  freshBytes = 0;
  #isParent = true;

  constructor(parent: LaidParent) {
    this.#parent = parent;
  }

  /** Bytes of the parent come next. */
  keep(positionBytes: number, lengthBytes: number): void {
    const { path, sizeBytes } = this.#parent.entry;
    const areCounts = Number.isSafeInteger(positionBytes) && Number.isSafeInteger(lengthBytes);
    if (!areCounts || positionBytes < 0 || lengthBytes < 0 || positionBytes + lengthBytes > sizeBytes) {
      fail(
        'INTERNAL',
        `'${shownPath(path)}' has ${sizeBytes} bytes, and ${lengthBytes} at ${positionBytes} are wanted`,
      );
    }
    if (positionBytes !== this.sizeBytes) this.#isParent = false;
    for (const [chunk, offset, length] of this.#parent.parts(positionBytes, lengthBytes)) {
      const number = this.#used.get(chunk) ?? this.#used.size;
      this.#used.set(chunk, number);
      this.#add(number, offset, length);
    }
    this.sizeBytes += lengthBytes;
  }

  /** So many new bytes come next. */
  give(lengthBytes: number): void {
    this.#isParent = false;
    for (let left = lengthBytes; left > 0; ) {
      const offset = this.freshBytes % FRESH_CHUNK_BYTES;
      const length = Math.min(left, FRESH_CHUNK_BYTES - offset);
      this.#add(-1 - Math.floor(this.freshBytes / FRESH_CHUNK_BYTES), offset, length);
      this.freshBytes += length;
      left -= length;
    }
    this.sizeBytes += lengthBytes;
  }

  get pieceCount(): number {
    return this.#pieces.length / PIECE_NUMBERS;
  }

  /** Whether nothing of the parent is in it. */
  get isFresh(): boolean {
    return this.#used.size === 0;
  }

  /** Whether it is what the parent is. */
  get isParent(): boolean {
    return this.#isParent && this.sizeBytes === this.#parent.entry.sizeBytes;
  }

  /** Of the parent's chunks, those that are used, in the order of their new numbers. */
  get keptChunks(): readonly string[] {
    const chunks = this.#parent.entry.chunks ?? [];
    return [...this.#used.keys()].map((number) => chunks[number] as string);
  }

  /** Plain bytes of all chunks that it refers to. */
  get chunkBytes(): number {
    return [...this.#used.keys()].reduce(
      (sum, chunk) => sum + (this.#parent.lengths[chunk] as number),
      this.freshBytes,
    );
  }

  /** Undefined when it is its chunks one after another. */
  get pieces(): readonly number[] | undefined {
    const kept = this.#used.size;
    const pieces = this.#pieces.map((value, at) => (at % PIECE_NUMBERS === 0 && value < 0 ? kept - 1 - value : value));
    const lengths = [...this.#used.keys()].map((chunk) => this.#parent.lengths[chunk] as number);
    for (let left = this.freshBytes; left > 0; left -= FRESH_CHUNK_BYTES)
      lengths.push(Math.min(left, FRESH_CHUNK_BYTES));
    const isPlain =
      pieces.length === lengths.length * PIECE_NUMBERS &&
      lengths.every((length, number) => {
        const at = number * PIECE_NUMBERS;
        return pieces[at] === number && pieces[at + 1] === 0 && pieces[at + 2] === length;
      });
    return isPlain ? undefined : pieces;
  }

  /** What goes on where the last piece ends, in the same chunk, is one piece with it. */
  #add(chunk: number, offset: number, length: number): void {
    const pieces = this.#pieces;
    const last = pieces.length - PIECE_NUMBERS;
    const isNext = pieces[last] === chunk && (pieces[last + 1] as number) + (pieces[last + 2] as number) === offset;
    if (last >= 0 && isNext) pieces[last + 2] = (pieces[last + 2] as number) + length;
    else pieces.push(chunk, offset, length);
  }
}
