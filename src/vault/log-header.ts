// What is told of log beside its bytes, and whether it fits them and the name they lie under.

import { z } from 'zod';
import {
  compareLsn,
  type Lsn,
  lsnDistance,
  lsnFrom,
  lsnValue,
  parseSegmentName,
  type SegmentName,
  segmentNameAt,
  segmentStart,
} from '../domain/lsn.ts';
import { isMoment, type Moment } from '../domain/moment.ts';
import { fail } from '../errors/index.ts';
import type { LogFacts, LogHeader, LogObject } from './types.ts';

const lsn = z.custom<Lsn>((value) => typeof value === 'string' && /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/.test(value));
const moment = z.custom<Moment>((value) => typeof value === 'string' && isMoment(value));
const point = z.object({ lsn, time: moment });
export const markSchema = z.object({ time: moment, lsn });
const headerSchema = z.object({
  timeline: z.number().int().positive(),
  segmentSizeBytes: z.number().int().positive(),
  fromLsn: lsn,
  toLsn: lsn,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  first: point.optional(),
  last: point.optional(),
  maxTime: moment.optional(),
  restorePoints: z.array(z.object({ name: z.string(), lsn, endLsn: lsn, time: moment })),
  mark: markSchema.optional(),
});

export function startOf(segment: SegmentName, segmentSizeBytes: number): Lsn {
  return segmentStart(parseSegmentName(segment, segmentSizeBytes).segment, segmentSizeBytes);
}

/** The one that the bytes lie in. */
export function segmentOf({ timeline, fromLsn, toLsn, segmentSizeBytes }: LogFacts): SegmentName {
  const segment = segmentNameAt(timeline, fromLsn, segmentSizeBytes);
  const lastByte = lsnFrom(lsnValue(toLsn) - 1n);
  if (segmentNameAt(timeline, lastByte, segmentSizeBytes) !== segment) {
    fail('INTERNAL', `log from ${fromLsn} to ${toLsn} crosses a segment boundary`);
  }
  return segment;
}

/** Refuses what a caller must not hand over, before it is stored for good. */
export function checkLength({ fromLsn, toLsn }: LogFacts, bytes: Uint8Array): void {
  const length = lsnDistance(fromLsn, toLsn);
  if (length <= 0 || length !== bytes.length) {
    fail('INTERNAL', `the header of log from ${fromLsn} does not fit its ${bytes.length} bytes`);
  }
}

/** The header must be that of the object's name: timeline, segment, and for an extent both ends. */
export function checkLogHeader(object: LogObject, data: unknown): LogHeader {
  const parsed = headerSchema.safeParse(data);
  if (!parsed.success) fail('OBJECT_DAMAGED', `the header of '${object.key}' is not one`, { cause: parsed.error });
  const header = parsed.data as LogHeader;
  const segment = segmentNameAt(header.timeline, header.fromLsn, header.segmentSizeBytes);
  const fits =
    header.timeline === object.timeline &&
    segment === object.segment &&
    compareLsn(header.fromLsn, header.toLsn) < 0 &&
    (object.kind === 'segment' || (header.fromLsn === object.fromLsn && header.toLsn === object.toLsn));
  return fits ? header : fail('OBJECT_DAMAGED', `'${object.key}' is the log of another place`);
}
