// Received log on disk on its way to the copies: a convenience that may be lost at any moment, never a promise.

import { type FileHandle, mkdir, open, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { lsnFrom, type SegmentName, segmentName } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import { keepInState } from '../own-files.ts';

/** For errors. */
const WHAT = 'received log';

interface SpooledSegment {
  readonly timeline: number;
  readonly start: bigint;
  readonly file: string;
  readonly handle: FileHandle;
  /** Bytes from `firstOffset` to `endOffset` are there. */
  readonly firstOffset: number;
  endOffset: number;
}

export class Spool {
  private readonly directory: string;
  private readonly segmentSizeBytes: number;
  private readonly segments = new Map<SegmentName, SpooledSegment>();

  private constructor(directory: string, segmentSizeBytes: number) {
    this.directory = directory;
    this.segmentSizeBytes = segmentSizeBytes;
  }

  /**
   * Empty, whatever an earlier process left there: what counts is on the copies and in the slot. Throws `NO_SPACE` where not even one
   * segment fits, and `STORE_UNAVAILABLE`.
   */
  static async open(directory: string, segmentSizeBytes: number): Promise<Spool> {
    const { bavail, bsize } = await keepInState(WHAT, directory, async () => {
      await rm(directory, { recursive: true, force: true });
      await mkdir(directory, { recursive: true, mode: 0o700 });
      return await statfs(directory);
    });
    if (bavail * bsize < segmentSizeBytes) fail('NO_SPACE', `no room for a segment of received log in '${directory}'`);
    return new Spool(directory, segmentSizeBytes);
  }

  get sizeBytes(): number {
    let total = 0;
    for (const { firstOffset, endOffset } of this.segments.values()) total += endOffset - firstOffset;
    return total;
  }

  /**
   * `pieces` follow on what was written for this timeline before, or begin a run. Throws `NO_SPACE`, `STORE_UNAVAILABLE`, and
   * `OBJECT_DAMAGED` when they do not follow: between them and the rest the file holds zeros, which are no log.
   */
  async write(timeline: number, at: bigint, pieces: readonly Buffer[]): Promise<void> {
    let position = at;
    for (const part of this.bySegment(at, pieces)) {
      const lengthBytes = part.reduce((sum, { length }) => sum + length, 0);
      const offset = Number(position % BigInt(this.segmentSizeBytes));
      await keepInState(WHAT, this.directory, async () => {
        const segment = await this.segmentFor(timeline, position - BigInt(offset), offset);
        if (offset !== segment.endOffset) {
          fail('OBJECT_DAMAGED', `log from ${lsnFrom(position)} does not follow on what the spool holds`);
        }
        await writeAll(segment.handle, part, offset);
        segment.endOffset = offset + lengthBytes;
      });
      position += BigInt(lengthBytes);
    }
  }

  /** Bytes inside one segment; `undefined` when not all of them are here. `allocate`: gives memory for so many. */
  async read(
    timeline: number,
    from: bigint,
    to: bigint,
    allocate: (lengthBytes: number) => Buffer = Buffer.allocUnsafeSlow,
  ): Promise<Buffer | undefined> {
    const start = from - (from % BigInt(this.segmentSizeBytes));
    const segment = this.segments.get(this.name(timeline, start));
    const [first, end] = [Number(from - start), Number(to - start)];
    if (segment === undefined || first < segment.firstOffset || end > segment.endOffset) return undefined;
    const bytes = allocate(end - first);
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await segment.handle.read(bytes, done, bytes.length - done, first + done);
      if (bytesRead === 0) return undefined;
      done += bytesRead;
    }
    return bytes;
  }

  has(timeline: number, from: bigint, to: bigint): boolean {
    const start = from - (from % BigInt(this.segmentSizeBytes));
    const segment = this.segments.get(this.name(timeline, start));
    return (
      segment !== undefined && Number(from - start) >= segment.firstOffset && Number(to - start) <= segment.endOffset
    );
  }

  /** Forgets whole segments that `isDone` says nobody needs. */
  async drop(isDone: (timeline: number, start: bigint, end: bigint) => boolean): Promise<void> {
    for (const [name, { timeline, start, handle, file }] of this.segments) {
      if (!isDone(timeline, start, start + BigInt(this.segmentSizeBytes))) continue;
      this.segments.delete(name);
      await handle.close();
      await rm(file, { force: true });
    }
  }

  async close(): Promise<void> {
    await this.drop(() => true);
  }

  /** Cut where a segment ends. */
  private bySegment(at: bigint, pieces: readonly Buffer[]): Buffer[][] {
    let room = this.segmentSizeBytes - Number(at % BigInt(this.segmentSizeBytes));
    const parts: Buffer[][] = [[]];
    for (const piece of pieces) {
      for (let done = 0; done < piece.length; ) {
        if (room === 0) parts.push([]);
        room ||= this.segmentSizeBytes;
        const bytes = piece.subarray(done, done + room);
        parts.at(-1)?.push(bytes);
        room -= bytes.length;
        done += bytes.length;
      }
    }
    return parts.filter((part) => part.length > 0);
  }

  private name(timeline: number, start: bigint): SegmentName {
    return segmentName(timeline, start / BigInt(this.segmentSizeBytes), this.segmentSizeBytes);
  }

  private async segmentFor(timeline: number, start: bigint, offset: number): Promise<SpooledSegment> {
    const name = this.name(timeline, start);
    const known = this.segments.get(name);
    if (known !== undefined) return known;
    const file = path.join(this.directory, name);
    const handle = await open(file, 'w+', 0o600);
    const segment = { timeline, start, file, handle, firstOffset: offset, endOffset: offset };
    this.segments.set(name, segment);
    return segment;
  }
}

async function writeAll(handle: FileHandle, pieces: readonly Buffer[], offset: number): Promise<void> {
  const { bytesWritten } = await handle.writev(pieces, offset);
  const wanted = pieces.reduce((sum, { length }) => sum + length, 0);
  if (bytesWritten === wanted) return;
  const rest = Buffer.concat(pieces).subarray(bytesWritten);
  for (let done = 0; done < rest.length; ) {
    const { bytesWritten: more } = await handle.write(rest, done, rest.length - done, offset + bytesWritten + done);
    if (more === 0) fail('STORE_UNAVAILABLE', 'the spool took no bytes');
    done += more;
  }
}
