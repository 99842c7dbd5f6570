// What a copy holds of the log, as stretches; and where the policy's copies together have it for good.

import type { LogStretch } from '../../domain/log-path.ts';
import { lsnValue } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import type { CommitPolicy, CopyDescription, LogCopy, LogObject } from '../../vault/types.ts';
import { comparePositions, type LogPosition } from './route.ts';

export interface Holdings {
  readonly objects: readonly LogObject[];
  readonly stretches: readonly LogStretch[];
  readonly histories: readonly number[];
}

/** Throws what the store throws: a copy that cannot be listed holds an unknown amount, not nothing. */
export async function readHoldings(log: LogCopy): Promise<Holdings> {
  const [{ objects: listed, histories }, named] = await Promise.all([log.list(), log.named()]);
  // While a sweep goes on some copies have log that others have let go of: it is no gap of those.
  const objects = listed.filter(({ key }) => !named.has(key));
  // Only the last closed segment of a timeline may end early, and only its header says so.
  const lastClosed = new Map<number, LogObject>();
  for (const object of objects) {
    const last = lastClosed.get(object.timeline);
    if (object.kind === 'segment' && (last === undefined || object.segment > last.segment)) {
      lastClosed.set(object.timeline, object);
    }
  }
  const stretches: LogStretch[] = objects.filter((object) => lastClosed.get(object.timeline) !== object);
  for (const object of lastClosed.values()) {
    const { timeline, fromLsn, toLsn } = await log.readHeader(object);
    stretches.push({ timeline, fromLsn, toLsn });
  }
  return { objects, stretches, histories };
}

/** The latest transaction time in front of `position`, from the newest object before it; absent when no object knows one. */
export async function maxTimeBefore(
  log: LogCopy,
  { objects }: Holdings,
  position: LogPosition,
): Promise<Moment | undefined> {
  const before = objects
    .filter(({ timeline, toLsn }) => comparePositions({ timeline, at: lsnValue(toLsn) }, position) <= 0)
    .sort((a, b) => b.timeline - a.timeline || Number(lsnValue(b.toLsn) - lsnValue(a.toLsn)));
  const newest = before[0];
  return newest === undefined ? undefined : (await log.readHeader(newest)).maxTime;
}

/** The greatest position that enough copies have reached; `undefined` while too few say where they are. */
export function policyPosition(
  cursors: ReadonlyMap<string, LogPosition>,
  copies: readonly CopyDescription[],
  policy: CommitPolicy,
): LogPosition | undefined {
  const nth = (chosen: readonly CopyDescription[], count: number) =>
    chosen
      .flatMap(({ name }) => cursors.get(name) ?? [])
      .sort((a, b) => comparePositions(b, a))
      .at(count - 1);
  const ofAll = nth(copies, Math.max(policy.copies, 1));
  if (ofAll === undefined || policy.offsite === 0) return ofAll;
  const ofOffsite = nth(
    copies.filter(({ offsite }) => offsite),
    policy.offsite,
  );
  if (ofOffsite === undefined) return undefined;
  return comparePositions(ofAll, ofOffsite) < 0 ? ofAll : ofOffsite;
}
