// Which chunks of which files are placed together: jobs of about eight megabytes that end where a frame ends, when they can.

import { CHUNK_ID_BYTES } from '../chunk-id.ts';
import type { ChunkIndex } from '../chunk-index.ts';
import type { ChunkRecord } from '../chunk-record.ts';
import { TAG_BYTES } from '../crypto.ts';
import { PIECE_NUMBERS, pieceAt, piecesOf } from '../pieces.ts';
import { failWithWorst } from '../replicate.ts';
import type { TreeEntry } from '../types.ts';
import { KEPT_FRAMES_BYTES, type Placement, type TargetFile } from '../workers/jobs.ts';
import { type WantedFrame, wantedFrame } from './frame-fetcher.ts';

/** Plain and stored bytes of a job: enough that requests and messages cost nothing beside them. */
const JOB_BYTES = 8 * 1024 * 1024;
/** Where a frame does not end for so long (one chunk again and again), a job ends all the same. */
const LARGEST_JOB_BYTES = 2 * JOB_BYTES;
const JOB_FILES = 2048;
/** A file up to this size is written by one job at once, larger ones in stretches by all threads. */
export const WHOLE_FILE_BYTES = 4 * 1024 * 1024;
/** What lies in more frames than a thread keeps open would have them opened again and again. */
const WHOLE_FRAMES_BYTES = KEPT_FRAMES_BYTES;
/** Pieces of a file so near to each other are placed in the order of their frames: each frame is read once for all of them. */
const WINDOW_BYTES = 64 * 1024 * 1024;
const WINDOW_SLICES = 32 * 1024;
/** Parts of chunks of a job, however short they are. */
const JOB_SLICES = 16 * 1024;

export interface Chunk {
  readonly id: Buffer;
  readonly record: ChunkRecord;
}

/** Where a file's bytes come from: its chunks, in its order unless `pieces` says which parts of them it is made of. */
export interface FileSource {
  readonly chunks: readonly Chunk[];
  readonly pieces?: readonly number[];
}

/** A part of a chunk, mostly all of it; `at`: where it belongs, after the position of its placement. */
export interface Slice {
  readonly chunk: Chunk;
  readonly offset: number;
  readonly length: number;
  readonly at: number;
}

/** The chunks of a file with their places. Throws `OBJECT_MISSING`, and `OBJECT_DAMAGED` when what is made of them is not as long as the file. */
export function sourceOf(index: ChunkIndex, entry: TreeEntry): FileSource {
  const chunks = (entry.chunks ?? []).map((hex) => {
    const id = Buffer.from(hex, 'hex');
    return { id, record: index.find(id) ?? failWithWorst(`chunk ${hex}`, []) };
  });
  const lengths = chunks.map(({ record }) => record.length);
  for (const _piece of piecesOf(entry, lengths)); // each is looked at
  return { chunks, ...(entry.pieces && { pieces: entry.pieces }) };
}

/** Everything of a file that was looked at, in its order. */
export function* slicesOf({ chunks, pieces }: FileSource): Generator<Slice> {
  const count = pieces ? pieces.length / PIECE_NUMBERS : chunks.length;
  for (let number = 0, at = 0; number < count; number++) {
    const piece = pieces ? pieceAt(pieces, number) : undefined;
    const chunk = chunks[piece?.chunk ?? number] as Chunk;
    const { offset, length } = piece ?? { offset: 0, length: chunk.record.length };
    yield { chunk, offset, length, at };
    at += length;
  }
}

/** What one job places. */
export class PlacePlan {
  readonly frames: WantedFrame[] = [];
  readonly placements: Placement[] = [];
  readonly #numbers = new Map<number, number>();
  readonly #ids: Buffer[] = [];
  readonly #slices: number[] = [];
  plainBytes = 0;
  storedBytes = 0;

  get isEmpty(): boolean {
    return this.placements.length === 0;
  }

  /** Bytes in memory while the job is under way. */
  get weight(): number {
    return this.plainBytes + this.storedBytes + 4096 * this.placements.length + 128 * this.#ids.length;
  }

  get ids(): Uint8Array {
    return Buffer.concat(this.#ids, this.#ids.length * CHUNK_ID_BYTES);
  }

  get slices(): Uint32Array {
    return Uint32Array.from(this.#slices);
  }

  /** Whether the job should end before this chunk. */
  endsBefore(chunk: Chunk | undefined): boolean {
    if (this.isEmpty) return false;
    if (this.plainBytes >= LARGEST_JOB_BYTES || this.placements.length >= JOB_FILES) return true;
    if (this.#ids.length >= JOB_SLICES) return true;
    const isFull = this.plainBytes >= JOB_BYTES || this.storedBytes >= JOB_BYTES;
    return isFull && (chunk === undefined || !this.#numbers.has(frameKey(chunk.record)));
  }

  add(file: TargetFile, slices: Iterable<Slice>): void {
    const before = this.#ids.length;
    for (const slice of slices) this.#add(slice);
    this.placements.push({ file, slices: this.#ids.length - before });
  }

  /** A stretch, empty yet; `position`: what `at` of its slices counts from. */
  open(file: TargetFile, position: number, isHashedLater: boolean): void {
    this.placements.push({ file, slices: 0, position, ...(isHashedLater && { isHashedLater }) });
  }

  /** One more slice of the stretch that this job places. */
  extend(slice: Slice): void {
    this.#add(slice);
    const [{ slices, ...stretch }] = this.placements as [Placement];
    this.placements[0] = { ...stretch, slices: slices + 1 };
  }

  #add({ chunk: { id, record }, offset, length, at }: Slice): void {
    this.#ids.push(id);
    this.#slices.push(this.#frame(record), record.offset, record.length, offset, length, at);
    this.plainBytes += length;
  }

  #frame(record: ChunkRecord): number {
    const key = frameKey(record);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.frames.length;
    this.#numbers.set(key, number);
    this.frames.push(wantedFrame(record.pack, record.frame));
    this.storedBytes += record.frame.storedLength + TAG_BYTES;
    return number;
  }
}

/** Whether a file is written by one job: it is small, and so is what must be read for it. */
export function isWhole(sizeBytes: number, { chunks, pieces }: FileSource): boolean {
  if (sizeBytes > WHOLE_FILE_BYTES || (pieces && pieces.length > JOB_SLICES * PIECE_NUMBERS)) return false;
  const frames = new Map(chunks.map(({ record }) => [frameKey(record), record.frame]));
  let [stored, plain] = [0, 0];
  for (const { storedLength, plainLength } of frames.values()) {
    stored += storedLength;
    plain += plainLength;
  }
  return stored <= LARGEST_JOB_BYTES && (pieces === undefined || plain <= WHOLE_FRAMES_BYTES);
}

export interface Stretch {
  /** Nothing of it lies before. */
  readonly position: number;
  readonly plan: PlacePlan;
}

/** Of adjacent ones. */
export interface StretchChoice {
  /** Chunks that are right already, a byte each, are left out. */
  readonly right: Uint8Array | undefined;
  /** See `Placement`. */
  readonly isHashedLater: boolean;
}

/** The stretches of a large file. */
export function* stretchesOf(file: TargetFile, source: FileSource, choice: StretchChoice): Generator<Stretch> {
  if (source.pieces) yield* scatteredStretches(file, source);
  else yield* adjacentStretches(file, source, choice);
}

function* adjacentStretches(
  file: TargetFile,
  source: FileSource,
  { right, isHashedLater }: StretchChoice,
): Generator<Stretch> {
  let open: Stretch | undefined;
  let number = 0;
  for (const slice of slicesOf(source)) {
    const isRight = right?.[number++] === 1;
    if (open && (isRight || open.plan.endsBefore(slice.chunk))) {
      yield open;
      open = undefined;
    }
    if (isRight) continue;
    open ??= openStretch(file, slice.at, isHashedLater);
    open.plan.extend({ ...slice, at: slice.at - open.position });
  }
  if (open) yield open;
}

/** Of a file whose neighbours lie in different frames: what is near in the file, in the order of the frames. */
function* scatteredStretches(file: TargetFile, source: FileSource): Generator<Stretch> {
  let window: Slice[] = [];
  for (const slice of slicesOf(source)) {
    const first = window[0];
    if (first && (slice.at - first.at >= WINDOW_BYTES || window.length >= WINDOW_SLICES)) {
      yield* stretchesOfWindow(file, window);
      window = [];
    }
    window.push(slice);
  }
  yield* stretchesOfWindow(file, window);
}

function* stretchesOfWindow(file: TargetFile, window: Slice[]): Generator<Stretch> {
  const position = window[0]?.at ?? 0;
  const byFrame = (slice: Slice) => frameKey(slice.chunk.record);
  window.sort((a, b) => byFrame(a) - byFrame(b) || a.chunk.record.offset - b.chunk.record.offset || a.at - b.at);
  let open: Stretch | undefined;
  for (const slice of window) {
    if (open?.plan.endsBefore(slice.chunk)) {
      yield open;
      open = undefined;
    }
    open ??= openStretch(file, position);
    open.plan.extend({ ...slice, at: slice.at - position });
  }
  if (open) yield open;
}

function openStretch(file: TargetFile, position: number, isHashedLater = false): Stretch {
  const plan = new PlacePlan();
  plan.open(file, position, isHashedLater);
  return { position, plan };
}

/** Of a frame among all packs: 2^21 packs (64 TiB) are told apart exactly. */
function frameKey({ pack, frame }: ChunkRecord): number {
  return pack * 2 ** 32 + frame.offset;
}
