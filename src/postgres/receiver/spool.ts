// Received log on disk on its way to the copies: a convenience that may be lost at any moment, never a promise.

import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { type SegmentName, segmentName } from '../../domain/lsn.ts';

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

  /** Empty, whatever an earlier process left there: what counts is on the copies and in the slot. */
  static async open(directory: string, segmentSizeBytes: number): Promise<Spool> {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new Spool(directory, segmentSizeBytes);
  }

  get sizeBytes(): number {
    let total = 0;
    for (const { firstOffset, endOffset } of this.segments.values()) total += endOffset - firstOffset;
    return total;
  }

  /** `bytes` follow on what was written for this timeline before, or begin a run. */
  async write(timeline: number, at: bigint, bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const position = at + BigInt(done);
      const offset = Number(position % BigInt(this.segmentSizeBytes));
      const part = bytes.subarray(done, done + this.segmentSizeBytes - offset);
      const segment = await this.segmentFor(timeline, position - BigInt(offset), offset);
      for (let written = 0; written < part.length; ) {
        const { bytesWritten } = await segment.handle.write(part, written, part.length - written, offset + written);
        written += bytesWritten;
      }
      segment.endOffset = offset + part.length;
      done += part.length;
    }
  }

  /** Bytes inside one segment; `undefined` when not all of them are here. */
  async read(timeline: number, from: bigint, to: bigint): Promise<Buffer | undefined> {
    const start = from - (from % BigInt(this.segmentSizeBytes));
    const segment = this.segments.get(this.name(timeline, start));
    const [first, end] = [Number(from - start), Number(to - start)];
    if (segment === undefined || first < segment.firstOffset || end > segment.endOffset) return undefined;
    const bytes = Buffer.allocUnsafe(end - first);
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
