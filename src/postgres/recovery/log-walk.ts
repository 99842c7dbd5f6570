// Reads the records of an archived stretch of log: walks it, finds the record in front of a position, proves one by its checksum.

import { type Lsn, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import type { TimelineHistory } from '../../domain/timeline.ts';
import { fail } from '../../errors/index.ts';
import { createWalWalker, verifyRecord, type WalEvent } from '../wal/index.ts';
import { assembleSegment } from './assemble-segment.ts';
import type { LogArchive } from './log-archive.ts';

export interface LogRecord {
  readonly lsn: Lsn;
  readonly endLsn: Lsn;
}

export interface WalkRequest {
  readonly archive: LogArchive;
  readonly history: TimelineHistory;
  /** The walk starts at the start of the segment that holds this position. */
  readonly from: bigint;
  readonly to: bigint;
  /** Returning true ends the walk: no later event is told, no later segment read. */
  readonly onEvent?: (event: WalEvent) => boolean | undefined;
}

/** Walks along the way to `history.timeline`; gives the last whole record that ends at or before `to`. */
export async function walkLog(request: WalkRequest): Promise<LogRecord | undefined> {
  const { archive, history, from, to, onEvent } = request;
  const size = BigInt(archive.segmentSizeBytes);
  const first = from / size;
  let isOver = false;
  const walker = createWalWalker({
    startLsn: lsnFrom(first * size),
    segmentSizeBytes: archive.segmentSizeBytes,
    timelineHint: history.timeline,
    onEvent: (event) => {
      if (!isOver && onEvent?.(event) === true) isOver = true;
    },
  });
  const read = (segment: bigint) => segmentOf(archive, history, segment, to);
  let next = read(first);
  for (let segment = first; segment * size < to && !isOver; segment += 1n) {
    const bytes = await next;
    const end = segment * size + size < to ? archive.segmentSizeBytes : Number(to - segment * size);
    if (segment * size + size < to) {
      next = read(segment + 1n);
      // Read ahead of need: when the walk ends earlier, nobody asks how that went.
      next.catch(() => undefined);
    }
    walker.feed(bytes.subarray(0, end));
  }
  return walker.lastRecord;
}

function segmentOf(archive: LogArchive, history: TimelineHistory, segment: bigint, to: bigint): Promise<Buffer> {
  return assembleSegment({ ...archive, history, segment, to });
}

/** The last record that ends at or before `lsn`, looked for back to `floor`. Throws `LOG_HOLE` when there is none. */
export async function lastRecordBefore(
  archive: LogArchive,
  history: TimelineHistory,
  lsn: Lsn,
  floor: Lsn,
): Promise<LogRecord> {
  const size = BigInt(archive.segmentSizeBytes);
  const [to, lowest] = [lsnValue(lsn), lsnValue(floor) / size];
  // A record can be longer than a segment, so that nothing starts in the last one.
  for (let segment = (to - 1n) / size; segment >= lowest; segment -= 1n) {
    const record = await walkLog({ archive, history, from: segment * size, to });
    if (record !== undefined) return record;
  }
  return fail('LOG_HOLE', `no whole log record ends between ${floor} and ${lsn} on copy '${archive.copy}'`);
}

/** No record is shorter than three of these, so at most one ends within one step. */
const STEP_BYTES = 8;

/** The first record that starts at or after `lsn` and ends at or before `limit`. */
export async function firstRecordFrom(
  archive: LogArchive,
  history: TimelineHistory,
  lsn: Lsn,
  limit: Lsn,
): Promise<LogRecord | undefined> {
  const [size, wanted, to] = [BigInt(archive.segmentSizeBytes), lsnValue(lsn), lsnValue(limit)];
  const first = wanted / size;
  const { segmentSizeBytes } = archive;
  const walker = createWalWalker({ startLsn: lsnFrom(first * size), segmentSizeBytes, timelineHint: history.timeline });
  for (let segment = first; segment * size < to; segment += 1n) {
    const bytes = await segmentOf(archive, history, segment, to);
    const end = segment * size + size < to ? segmentSizeBytes : Number(to - segment * size);
    let at = segment === first ? Number(wanted - segment * size) : 0;
    walker.feed(bytes.subarray(0, at));
    for (; at < end; at += STEP_BYTES) {
      walker.feed(bytes.subarray(at, Math.min(at + STEP_BYTES, end)));
      const { lastRecord } = walker;
      if (lastRecord !== undefined && lsnValue(lastRecord.lsn) >= wanted) return lastRecord;
    }
  }
  return undefined;
}

/** Proves the record by its own checksum, and that it ends where it should. Throws `OBJECT_DAMAGED`. */
export async function proveRecord(archive: LogArchive, history: TimelineHistory, record: LogRecord): Promise<void> {
  const size = BigInt(archive.segmentSizeBytes);
  const first = lsnValue(record.lsn) / size;
  const parts: Buffer[] = [];
  for (let segment = first; segment * size < lsnValue(record.endLsn); segment += 1n) {
    parts.push(await segmentOf(archive, history, segment, lsnValue(record.endLsn)));
  }
  const { segmentSizeBytes } = archive;
  const run = { startLsn: lsnFrom(first * size), bytes: Buffer.concat(parts), segmentSizeBytes };
  const { endLsn } = verifyRecord(run, record.lsn);
  if (endLsn !== record.endLsn) {
    fail('OBJECT_DAMAGED', `the log record at ${record.lsn} ends at ${endLsn}, not at ${record.endLsn}`);
  }
}
