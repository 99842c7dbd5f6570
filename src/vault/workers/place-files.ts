// From ciphertext to files: opens the frames of a job, compares each file with its hash and each stretch's chunks with their ids, writes what they belong to.

import { createHash, hash } from 'node:crypto';
import { isHoldfastError } from '../../errors/index.ts';
import { CHUNK_ID_BYTES, ChunkIds } from '../chunk-id.ts';
import { decompressSync } from '../codec.ts';
import { letGo } from '../let-go.ts';
import { decryptFrame } from '../pack.ts';
import type { AnswerTo, PlaceJob, Placement } from './jobs.ts';
import { notAsCaptured, writePiece, writeWhole } from './target-files.ts';
import type { TargetTree } from './target-tree.ts';

/** Plain bytes of opened frames that are kept for later chunks of the job. */
const KEPT_BYTES = 24 * 1024 * 1024;

/** A frame that is not what was stored: another copy may have it. */
class FrameDamage extends Error {
  readonly frame: number;

  constructor(frame: number, message: string) {
    super(message);
    this.frame = frame;
  }
}

export function placeFiles(tree: TargetTree, job: PlaceJob): AnswerTo<'place'> {
  const chunks = new JobChunks(job);
  const damaged: { frame: number; message: string }[] = [];
  let first = 0;
  for (const placement of job.placements) {
    try {
      if (placement.position === undefined) placeWhole(tree, chunks, placement, first);
      else writePiece(tree, placement.file, placement.position, chunks.verified(first, placement.chunks));
    } catch (error) {
      if (!(error instanceof FrameDamage)) throw error;
      damaged.push({ frame: error.frame, message: error.message });
    }
    first += placement.chunks;
  }
  chunks.end();
  return { damaged };
}

/** The file's own hash says that every byte is right; only where it does not, its chunks are looked at for the one that is another. */
function placeWhole(tree: TargetTree, chunks: JobChunks, { file, chunks: count }: Placement, first: number): void {
  const pieces = chunks.pieces(first, count);
  const sizeBytes = pieces.reduce((sum, { length }) => sum + length, 0);
  if (sizeBytes !== file.sizeBytes || sha256Of(pieces) !== file.sha256) {
    chunks.verified(first, count);
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

class JobChunks {
  readonly #job: PlaceJob;
  readonly #chunkIds: ChunkIds;
  /** Plain bytes by number, oldest first. */
  readonly #frames = new Map<number, Buffer>();
  #keptBytes = 0;

  constructor(job: PlaceJob) {
    this.#job = job;
    this.#chunkIds = new ChunkIds(job.setup.chunkIdKey);
  }

  /** Chunks compared with their ids. */
  verified(first: number, count: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let number = first; number < first + count; number++) {
      const bytes = this.#bytes(number);
      if (!this.#id(number).equals(this.#chunkIds.of(bytes))) this.#isAnother(number);
      pieces.push(bytes);
    }
    return pieces;
  }

  /** Chunks as they come, those that lie one after another together. */
  pieces(first: number, count: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let number = first; number < first + count; number++) {
      const bytes = this.#bytes(number);
      const last = pieces.at(-1);
      const isNext = last?.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset;
      if (last && isNext)
        pieces[pieces.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + bytes.length);
      else pieces.push(bytes);
    }
    return pieces;
  }

  /** Nothing of the job is needed any more. */
  end(): void {
    for (const bytes of this.#frames.values()) letGo(bytes);
    for (const range of this.#job.ranges) letGo(range);
    this.#frames.clear();
  }

  #id(number: number): Buffer {
    const { buffer, byteOffset } = this.#job.ids;
    return Buffer.from(buffer, byteOffset + number * CHUNK_ID_BYTES, CHUNK_ID_BYTES);
  }

  #isAnother(number: number): never {
    const frame = this.#job.chunks[number * 3] as number;
    throw new FrameDamage(frame, `a chunk of ${this.#what(frame)} is another one`);
  }

  #bytes(number: number): Buffer {
    const [frame, offset, length] = this.#job.chunks.subarray(number * 3, number * 3 + 3) as unknown as number[];
    const plain = this.#frame(frame as number);
    return plain.subarray(offset as number, (offset as number) + (length as number));
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
      if (this.#keptBytes <= KEPT_BYTES) break;
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
