// From ciphertext to files: opens the frames of a job, compares each file with its hash, or the chunks it is made of with their ids, and writes it.

import { createHash, hash } from 'node:crypto';
import { isHoldfastError } from '../../errors/index.ts';
import { CHUNK_ID_BYTES, ChunkIds } from '../chunk-id.ts';
import { decompressSync } from '../codec.ts';
import { letGo } from '../let-go.ts';
import { decryptFrame } from '../pack.ts';
import { type AnswerTo, KEPT_FRAMES_BYTES, type PlaceJob, type Placement, SLICE_NUMBERS } from './jobs.ts';
import { notAsCaptured, writeStretch, writeWhole } from './target-files.ts';
import type { TargetTree } from './target-tree.ts';

/** A frame that is not what was stored: another copy may have it. */
class FrameDamage extends Error {
  readonly frame: number;

  constructor(frame: number, message: string) {
    super(message);
    this.frame = frame;
  }
}

export function placeFiles(tree: TargetTree, job: PlaceJob): AnswerTo<'place'> {
  const slices = new JobSlices(job);
  const damaged: { frame: number; message: string }[] = [];
  let first = 0;
  for (const placement of job.placements) {
    try {
      if (placement.position === undefined) placeWhole(tree, slices, placement, first);
      else writeStretch(tree, placement.file, placement.position, slices.placed(first, placement));
    } catch (error) {
      if (!(error instanceof FrameDamage)) throw error;
      damaged.push({ frame: error.frame, message: error.message });
    }
    first += placement.slices;
  }
  slices.end();
  return { damaged, ranges: job.ranges };
}

/**
 * The file's own hash says that every byte is right; only where it does not, its chunks are looked at for the one that is another. A file
 * without a hash has nothing but the ids of its chunks.
 */
function placeWhole(tree: TargetTree, slices: JobSlices, { file, slices: count }: Placement, first: number): void {
  const pieces = file.sha256 === undefined ? slices.verified(first, count) : slices.pieces(first, count);
  const sizeBytes = pieces.reduce((sum, { length }) => sum + length, 0);
  if (sizeBytes !== file.sizeBytes || (file.sha256 !== undefined && sha256Of(pieces) !== file.sha256)) {
    slices.verified(first, count);
    notAsCaptured(file);
  }
  writeWhole(tree, file, pieces);
}

function sha256Of(pieces: readonly Buffer[]): string {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return hash('sha256', only, 'hex');
  const whole = createHash('sha256');
  for (const piece of pieces) whole.update(piece);
  return whole.digest('hex');
}

interface Placed {
  readonly at: number;
  readonly bytes: Buffer;
}

/** Both as one where `next` lies right behind `bytes` in memory. */
function joinedWith(bytes: Buffer, next: Buffer): Buffer | undefined {
  const isNext = bytes.buffer === next.buffer && bytes.byteOffset + bytes.length === next.byteOffset;
  return isNext ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length + next.length) : undefined;
}

class JobSlices {
  readonly #job: PlaceJob;
  readonly #chunkIds: ChunkIds;
  /** Plain bytes by number, oldest first. */
  readonly #frames = new Map<number, Buffer>();
  #keptBytes = 0;
  /** Number of the last slice whose chunk was compared with its id: the next one is mostly of the same chunk, or of another that comes once. */
  #compared: number | undefined;

  constructor(job: PlaceJob) {
    this.#job = job;
    this.#chunkIds = new ChunkIds(job.setup.chunkIdKey);
  }

  /** Each out of a chunk that was compared with its id as a whole. */
  verified(first: number, count: number): Buffer[] {
    return this.placed(first, { slices: count }).map(({ bytes }) => bytes);
  }

  /** The same, unless the whole is hashed later, with the place of each after the position of the placement; neighbours in both are one. */
  placed(first: number, { slices: count, isHashedLater }: Pick<Placement, 'slices' | 'isHashedLater'>): Placed[] {
    const placed: Placed[] = [];
    for (let number = first; number < first + count; number++) {
      if (!isHashedLater) this.#compare(number);
      const [at, bytes] = [this.#number(number, 5), this.#bytes(number)];
      const last = placed.at(-1);
      const joined = last && last.at + last.bytes.length === at ? joinedWith(last.bytes, bytes) : undefined;
      if (last && joined) placed[placed.length - 1] = { at: last.at, bytes: joined };
      else placed.push({ at, bytes });
    }
    return placed;
  }

  /** As they come, those that lie one after another together. */
  pieces(first: number, count: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let number = first; number < first + count; number++) {
      const bytes = this.#bytes(number);
      const last = pieces.at(-1);
      const joined = last && joinedWith(last, bytes);
      if (joined) pieces[pieces.length - 1] = joined;
      else pieces.push(bytes);
    }
    return pieces;
  }

  /** Nothing that was opened is needed any more. */
  end(): void {
    for (const bytes of this.#frames.values()) letGo(bytes);
    this.#frames.clear();
  }

  #id(number: number): Buffer {
    const { buffer, byteOffset } = this.#job.ids;
    return Buffer.from(buffer, byteOffset + number * CHUNK_ID_BYTES, CHUNK_ID_BYTES);
  }

  #compare(number: number): void {
    if (this.#compared !== undefined && this.#isSameChunk(this.#compared, number)) return;
    const [frame, offset, length] = [this.#number(number, 0), this.#number(number, 1), this.#number(number, 2)];
    const chunk = this.#frame(frame).subarray(offset, offset + length);
    if (!this.#id(number).equals(this.#chunkIds.of(chunk))) {
      throw new FrameDamage(frame, `a chunk of ${this.#what(frame)} is another one`);
    }
    this.#compared = number;
  }

  #isSameChunk(one: number, other: number): boolean {
    const isSamePlace = [0, 1, 2].every((column) => this.#number(one, column) === this.#number(other, column));
    return isSamePlace && this.#id(one).equals(this.#id(other));
  }

  /** A slice that reaches out of its chunk was refused when the job was made. */
  #bytes(number: number): Buffer {
    const start = this.#number(number, 1) + this.#number(number, 3);
    return this.#frame(this.#number(number, 0)).subarray(start, start + this.#number(number, 4));
  }

  #number(slice: number, column: number): number {
    return this.#job.slices[slice * SLICE_NUMBERS + column] as number;
  }

  #what(frame: number): string {
    const { pack } = this.#job.frames[frame] as PlaceJob['frames'][number];
    return (this.#job.packs[pack] as PlaceJob['packs'][number]).what;
  }

  #frame(number: number): Buffer {
    const known = this.#frames.get(number);
    if (known) return known;
    const plain = this.#open(number);
    this.#keptBytes += plain.length;
    for (const [oldest, bytes] of this.#frames) {
      if (this.#keptBytes <= KEPT_FRAMES_BYTES) break;
      this.#frames.delete(oldest);
      this.#keptBytes -= bytes.length;
    }
    this.#frames.set(number, plain);
    return plain;
  }

  #open(number: number): Buffer {
    const { pack, range, at, place } = this.#job.frames[number] as PlaceJob['frames'][number];
    const { path, key, what } = this.#job.packs[pack] as PlaceJob['packs'][number];
    const { vaultId } = this.#job.setup;
    const context = { vaultId: Buffer.from(vaultId), path, dataKey: Buffer.alloc(0), chunkIds: this.#chunkIds };
    const sealed = Buffer.from(this.#job.ranges[range] as ArrayBuffer, at, place.storedLength + 16);
    try {
      const stored = decryptFrame(context, Buffer.from(key), place, sealed, what);
      const plain = decompressSync(place.codec, stored, place.plainLength, what);
      if (plain !== stored) letGo(stored);
      return plain;
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_DAMAGED', 'VAULT_FORMAT')) throw error;
      throw new FrameDamage(number, error.message);
    }
  }
}
