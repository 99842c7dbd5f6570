// A gap of one copy that the spool no longer covers is filled from another copy, object by object.

import { lsnFrom, lsnValue, parseSegmentName, segmentName } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import type { LogCopy, LogObject } from '../../vault/types.ts';
import type { LogPosition } from './route.ts';

/** Puts the first object of another copy that leads on from here; gives where it ends. Throws `LOG_HOLE` when none has it. */
export async function fillGap(
  target: LogCopy,
  others: readonly LogCopy[],
  position: LogPosition,
  segmentSizeBytes: number,
): Promise<bigint> {
  for (const other of others) {
    const object = await findObject(other, position, segmentSizeBytes).catch(() => undefined);
    if (object === undefined) continue;
    const { header, bytes } = await other.read(object);
    if (lsnValue(header.toLsn) <= position.at) continue;
    if (object.kind === 'segment') {
      await target.putSegment(header, bytes);
      await target.dropExtents(object.segment);
    } else await target.putExtent(header, bytes);
    return lsnValue(header.toLsn);
  }
  return fail(
    'LOG_HOLE',
    `no copy has the log from ${lsnFrom(position.at)} of timeline ${position.timeline} that '${target.copy}' lacks`,
  );
}

async function findObject(
  log: LogCopy,
  { timeline, at }: LogPosition,
  segmentSizeBytes: number,
): Promise<LogObject | undefined> {
  const fromSegment = segmentName(timeline, at / BigInt(segmentSizeBytes), segmentSizeBytes);
  const { objects } = await log.list({ timeline, fromSegment });
  const holds = objects.filter((o) => lsnValue(o.fromLsn) <= at && lsnValue(o.toLsn) > at);
  const isHere = (o: LogObject) => parseSegmentName(o.segment, segmentSizeBytes).timeline === timeline;
  return holds.find((o) => o.kind === 'segment' && isHere(o)) ?? holds.find(isHere);
}
