// Which chunks of which files are placed together: jobs of about eight megabytes that end where a frame ends, when they can.

import { fail } from '../../errors/index.ts';
import { CHUNK_ID_BYTES } from '../chunk-id.ts';
import type { ChunkIndex } from '../chunk-index.ts';
import type { ChunkRecord } from '../chunk-record.ts';
import { TAG_BYTES } from '../crypto.ts';
import { failWithWorst } from '../replicate.ts';
import type { Placement, TargetFile } from '../workers/jobs.ts';
import { type WantedFrame, wantedFrame } from './frame-fetcher.ts';

/** Plain and stored bytes of a job: enough that requests and messages cost nothing beside them. */
const JOB_BYTES = 8 * 1024 * 1024;
/** Where a frame does not end for so long (one chunk again and again), a job ends all the same. */
const LARGEST_JOB_BYTES = 2 * JOB_BYTES;
const JOB_FILES = 2048;
/** A file up to this size is written by one job at once, larger ones in stretches by all threads. */
export const WHOLE_FILE_BYTES = 4 * 1024 * 1024;

export interface Chunk {
  readonly id: Buffer;
  readonly record: ChunkRecord;
}

/** The chunks of a file with their places. Throws `OBJECT_MISSING`, and `OBJECT_DAMAGED` when they are not as long as the file. */
export function chunksOf(index: ChunkIndex, path: string, hexIds: readonly string[], sizeBytes: number): Chunk[] {
  let length = 0;
  const chunks = hexIds.map((hex) => {
    const id = Buffer.from(hex, 'hex');
    const record = index.find(id) ?? failWithWorst(`chunk ${hex}`, []);
    length += record.length;
    return { id, record };
  });
  if (length !== sizeBytes) {
    fail('OBJECT_DAMAGED', `'${path}' is not what was captured: its chunks have ${length} bytes, it has ${sizeBytes}`);
  }
  return chunks;
}

/** What one job places. */
export class PlacePlan {
  readonly frames: WantedFrame[] = [];
  readonly placements: Placement[] = [];
  readonly #numbers = new Map<number, number>();
  readonly #ids: Buffer[] = [];
  readonly #chunks: number[] = [];
  plainBytes = 0;
  storedBytes = 0;

  get isEmpty(): boolean {
    return this.placements.length === 0;
  }

  /** Bytes in memory while the job is under way. */
  get weight(): number {
    return this.plainBytes + this.storedBytes + 4096 * this.placements.length;
  }

  get ids(): Uint8Array {
    return Buffer.concat(this.#ids, this.#ids.length * CHUNK_ID_BYTES);
  }

  get chunks(): Uint32Array {
    return Uint32Array.from(this.#chunks);
  }

  /** Whether the job should end before this chunk. */
  endsBefore(chunk: Chunk | undefined): boolean {
    if (this.isEmpty) return false;
    if (this.plainBytes >= LARGEST_JOB_BYTES || this.placements.length >= JOB_FILES) return true;
    const isFull = this.plainBytes >= JOB_BYTES || this.storedBytes >= JOB_BYTES;
    return isFull && (chunk === undefined || !this.#numbers.has(frameKey(chunk.record)));
  }

  add(file: TargetFile, chunks: readonly Chunk[], position?: number): void {
    this.placements.push({ file, chunks: chunks.length, ...(position !== undefined && { position }) });
    for (const { id, record } of chunks) {
      this.#ids.push(id);
      this.#chunks.push(this.#frame(record), record.offset, record.length);
      this.plainBytes += record.length;
    }
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
export function isWhole(sizeBytes: number, chunks: readonly Chunk[]): boolean {
  if (sizeBytes > WHOLE_FILE_BYTES) return false;
  const frames = new Map(chunks.map(({ record }) => [frameKey(record), record.frame.storedLength]));
  let stored = 0;
  for (const length of frames.values()) stored += length;
  return stored <= LARGEST_JOB_BYTES;
}

export interface Stretch {
  readonly position: number;
  readonly lengthBytes: number;
  readonly plan: PlacePlan;
}

/** The stretches of a large file; chunks that are `right` already are left out. */
export function* stretchesOf(
  file: TargetFile,
  chunks: readonly Chunk[],
  right: Uint8Array | undefined,
): Generator<Stretch> {
  let open: { position: number; chunks: Chunk[]; bytes: number; probe: PlacePlan } | undefined;
  const end = () => {
    const { position, bytes, chunks: own } = open as NonNullable<typeof open>;
    const plan = new PlacePlan();
    plan.add(file, own, position);
    open = undefined;
    return { position, lengthBytes: bytes, plan };
  };
  let position = 0;
  for (const [number, chunk] of chunks.entries()) {
    const isRight = right?.[number] === 1;
    if (open && (isRight || open.probe.endsBefore(chunk))) yield end();
    if (!isRight) {
      open ??= { position, chunks: [], bytes: 0, probe: new PlacePlan() };
      open.chunks.push(chunk);
      open.bytes += chunk.record.length;
      open.probe.add(file, [chunk]);
    }
    position += chunk.record.length;
  }
  if (open) yield end();
}

/** Of a frame among all packs: 2^21 packs (64 TiB) are told apart exactly. */
function frameKey({ pack, frame }: ChunkRecord): number {
  return pack * 2 ** 32 + frame.offset;
}
