// A gap of one copy that the spool no longer covers is filled from another copy, object by object.

import { lsnFrom, lsnValue, parseSegmentName, segmentName } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import type { LogCopy, LogObject } from '../../vault/types.ts';
import type { LogMemory } from './log-memory.ts';
import type { LogPosition } from './route.ts';

export interface Filling {
  readonly segmentSizeBytes: number;
  readonly memory: LogMemory;
  readonly signal: AbortSignal;
}

/** Puts the first object of another copy that leads on from here; gives where it ends. Throws `LOG_HOLE` when none has it, `CANCELLED`. */
export async function fillGap(
  target: LogCopy,
  others: readonly LogCopy[],
  position: LogPosition,
  { segmentSizeBytes, memory, signal }: Filling,
): Promise<bigint> {
  for (const other of others) {
    const object = await findObject(other, position, segmentSizeBytes).catch(() => undefined);
    if (object === undefined) continue;
    const room = await memory.takeBetween(other.copy, target.copy, segmentSizeBytes, signal);
    try {
      const end = await carry(object, other, target, position.at);
      if (end !== undefined) return end;
    } finally {
      room.release(false);
    }
  }
  return fail(
    'LOG_HOLE',
    `no copy has the log from ${lsnFrom(position.at)} of timeline ${position.timeline} that '${target.copy}' lacks`,
  );
}

/** `undefined`: it ends before `at`, whatever its name said. */
async function carry(object: LogObject, from: LogCopy, to: LogCopy, at: bigint): Promise<bigint | undefined> {
  const { header, bytes } = await from.read(object);
  const end = lsnValue(header.toLsn);
  if (end <= at) return undefined;
  if (object.kind === 'segment') {
    await to.putSegment(header, bytes);
    await to.dropExtents(object.segment);
  } else await to.putExtent(header, bytes);
  return end;
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
