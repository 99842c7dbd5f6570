// Whether a copy holds a stretch of log without a gap: asked right before a manifest that cannot be restored without it.

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { coverage } from '../domain/log-coverage.ts';
import { type Lsn, lsnValue, parseLsn } from '../domain/lsn.ts';
import { fail } from '../errors/index.ts';
import type { ManifestHeader } from './manifest.ts';
import type { LogCopy, LogObject } from './types.ts';

/** A listing is not of one instant: between its pages extents become a closed segment. */
const LOOKS = 4;
const LOOK_AGAIN_MS = 500;

/** Throws `LOG_HOLE` with the first position of `[from, to)` that is on no object of this copy. */
export async function requireLog(log: LogCopy, timeline: number, from: Lsn, to: Lsn): Promise<void> {
  for (let look = 1; ; look += 1) {
    const missing = await firstMissing(log, timeline, from, to);
    if (missing === undefined) return;
    if (look < LOOKS) await sleep(LOOK_AGAIN_MS);
    else fail('LOG_HOLE', `'${log.copy}' has no log at ${missing} of timeline ${timeline}, of ${from} to ${to}`);
  }
}

/** One past the last byte of a timeline that is on this copy; holes before it are not looked for. `undefined`: nothing is there. */
export async function logEnd(log: LogCopy, timeline: number): Promise<Lsn | undefined> {
  return (await rangesOf(log, timeline)).at(-1)?.toLsn;
}

async function rangesOf(log: LogCopy, timeline: number) {
  const { objects } = await log.list({ timeline });
  const own = objects.filter((object) => object.timeline === timeline);
  const held = await Promise.all(
    own.map(async (object) => (object === lastClosed(own) ? await log.readHeader(object) : object)),
  );
  return coverage(held)[0]?.ranges ?? [];
}

async function firstMissing(log: LogCopy, timeline: number, from: Lsn, to: Lsn): Promise<Lsn | undefined> {
  const ranges = await rangesOf(log, timeline);
  const around = ranges.find(
    (range) => lsnValue(range.fromLsn) <= lsnValue(from) && lsnValue(from) < lsnValue(range.toLsn),
  );
  if (around === undefined) return from;
  return lsnValue(around.toLsn) < lsnValue(to) ? around.toLsn : undefined;
}

/** Only the last closed segment of a timeline may end early, and only its header says so. */
function lastClosed(objects: readonly LogObject[]): LogObject | undefined {
  const closed = objects.filter(({ kind }) => kind === 'segment');
  return closed.reduce<LogObject | undefined>((a, b) => (a === undefined || b.segment > a.segment ? b : a), undefined);
}

const lsn = z
  .string()
  .regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/)
  .transform(parseLsn);
const engineSchema = z.object({ systemId: z.string(), timeline: z.number(), startLsn: lsn, stopLsn: lsn });

/** The log that a physical snapshot needs to become consistent; `undefined` for those that need none. */
export function logOf({ kind, engine }: ManifestHeader): z.infer<typeof engineSchema> | undefined {
  if (kind !== 'physical') return undefined;
  return engineSchema.safeParse(engine).data;
}
