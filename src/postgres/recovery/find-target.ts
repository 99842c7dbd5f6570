// Finds a target on one branch: which base serves it, and which record of the log is the last to replay.

import { compareLsn, type Lsn, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import { type Moment, momentFromDate, momentFromPostgresMicros, shortMoment } from '../../domain/moment.ts';
import { firstPartLeftOut, isLeftOut, runningMaximum } from '../../domain/recovery-stop.ts';
import { fail } from '../../errors/index.ts';
import type { RequestedTarget } from '../types.ts';
import type { WalEvent } from '../wal/index.ts';
import { type Base, type Branch, momentBefore, timelineAt } from './branch.ts';
import { firstRecordFrom, type LogRecord, lastRecordBefore, walkLog } from './log-walk.ts';
import { outside } from './outside.ts';

/** A target found: the base to start from and the last record to replay. */
export interface Found {
  readonly base: Base;
  readonly record: LogRecord;
  /** Of the recovery in time; absent when the target itself says nothing about time. */
  readonly moment?: Moment;
}

export async function findTarget(branch: Branch, target: RequestedTarget, exclusive: boolean): Promise<Found> {
  switch (target.type) {
    case 'time':
      return findTime(branch, target.moment, exclusive);
    case 'lsn':
      return findLsn(branch, target.lsn, exclusive);
    case 'xid':
      return findTransaction(branch, target.xid, exclusive);
    case 'name':
      return findRestorePoint(branch, target.name);
    case 'latest':
      return findLatest(branch);
    case 'immediate':
      return findConsistent(branch);
  }
}

async function findTime(branch: Branch, moment: Moment, exclusive: boolean): Promise<Found> {
  for (const base of branch.bases) {
    if (base.snapshot.to > moment) continue;
    const left = await firstLeftOutAfter(branch, base, moment, exclusive);
    if (left === 'before the base') continue;
    const known = momentBefore(branch, base.run.toLsn, base.floor);
    if (left === undefined && (known === undefined || moment > known)) {
      return outside(branch, laterThanKnown(moment), { moment });
    }
    const record = await lastRecordBefore(branch.archive, branch.history, left ?? base.run.toLsn, base.floor);
    if (compareLsn(record.endLsn, base.details.stopLsn) >= 0) return { base, record, moment };
  }
  return outside(branch, `${shortMoment(moment)} lies before the first base backup ended`, { moment });
}

/** A slip of the finger in a date, or a zone that was forgotten, is told as what it is. */
function laterThanKnown(moment: Moment): string {
  const now = momentFromDate(new Date());
  const where = moment > now ? `lies in the future (it is ${shortMoment(now)})` : 'lies after what is known of the log';
  return `${shortMoment(moment)} ${where}`;
}

/** Start of the first transaction end that the moment leaves out; `before the base` when it lies before the base's own end. */
async function firstLeftOutAfter(
  branch: Branch,
  base: Base,
  moment: Moment,
  exclusive: boolean,
): Promise<Lsn | 'before the base' | undefined> {
  const objects = branch.objects.filter(({ header }) => compareLsn(header.fromLsn, base.run.toLsn) < 0);
  const maxima = runningMaximum(objects.map(({ header }) => header.maxTime));
  const index = firstPartLeftOut(maxima, moment, exclusive);
  const part = objects[index]?.header;
  if (part === undefined) return undefined;
  if (compareLsn(part.toLsn, base.details.startLsn) <= 0) return 'before the base';
  const left = await firstEvent(branch, part.fromLsn, base.run.toLsn, (event) =>
    isEndLeftOut(event, moment, exclusive),
  );
  if (left === undefined) return undefined;
  return left.lsn < lsnValue(base.details.stopLsn) ? 'before the base' : lsnFrom(left.lsn);
}

function isEndLeftOut(event: WalEvent, moment: Moment, exclusive: boolean): boolean {
  return event.type === 'transaction' && isLeftOut(momentFromPostgresMicros(event.timeMicros), moment, exclusive);
}

/** The first event from the segment of `from` on that passes; records that start before `from` are not asked about. */
async function firstEvent(
  { archive, history }: Branch,
  from: Lsn,
  to: Lsn,
  passes: (event: WalEvent) => boolean,
): Promise<WalEvent | undefined> {
  let found: WalEvent | undefined;
  const [begin, end] = [lsnValue(from), lsnValue(to)];
  await walkLog({
    archive,
    history,
    from: begin,
    to: end,
    onEvent: (event) => {
      if (event.lsn < begin || !passes(event)) return false;
      found = event;
      return true;
    },
  });
  return found;
}

/** PostgreSQL's rule: inclusive replays the first record that starts at or after the position, exclusive stops before it. */
async function findLsn(branch: Branch, lsn: Lsn, exclusive: boolean): Promise<Found> {
  const { archive, history } = branch;
  const base = branch.bases.find(
    ({ details, run }) => compareLsn(details.stopLsn, lsn) <= 0 && compareLsn(lsn, run.toLsn) <= 0,
  );
  if (base === undefined) return outside(branch, `position ${lsn} cannot be reached`, { lsn });
  const last = await lastRecordBefore(archive, history, base.run.toLsn, base.floor);
  // A position that is just the end of the log names everything before it: `pg_current_wal_lsn()` of an idle server.
  if (compareLsn(lsn, last.endLsn) === 0) return { base, record: last };
  const next = await firstRecordFrom(archive, history, lsn, base.run.toLsn);
  if (next === undefined) {
    if (exclusive && compareLsn(lsn, last.endLsn) < 0) return { base, record: last };
    return outside(branch, `no whole record starts at or after position ${lsn}`, { lsn });
  }
  return { base, record: exclusive ? await lastRecordBefore(archive, history, next.lsn, base.floor) : next };
}

async function findTransaction(branch: Branch, xid: string, exclusive: boolean): Promise<Found> {
  const wanted = Number(BigInt.asUintN(32, BigInt(xid)));
  const ends: Extract<WalEvent, { type: 'transaction' }>[] = [];
  const floors = new Map(branch.bases.map(({ run, floor }) => [run, floor]));
  for (const [run, floor] of floors) {
    const onEvent = (event: WalEvent) => {
      if (event.type === 'transaction' && event.xid === wanted) ends.push(event);
      return false;
    };
    await walkLog({ ...branch, from: lsnValue(floor), to: lsnValue(run.toLsn), onEvent });
  }
  const [end, another] = ends;
  if (end === undefined) return outside(branch, `transaction ${xid} did not end in the log at hand`, {});
  if (another !== undefined) {
    fail(
      'TARGET_AMBIGUOUS',
      `transaction ${xid} ended more than once in the log of timeline ${branch.history.timeline}`,
      {
        hint: 'name the moment by its position or time instead',
        details: { positions: ends.map(({ lsn }) => lsnFrom(lsn)) },
      },
    );
  }
  const moment = momentFromPostgresMicros(end.timeMicros);
  return at(branch, exclusive ? undefined : { lsn: lsnFrom(end.lsn), endLsn: lsnFrom(end.endLsn) }, lsnFrom(end.lsn), {
    moment,
    words: `transaction ${xid}`,
  });
}

async function findRestorePoint(branch: Branch, name: string): Promise<Found> {
  const named = new Map(
    branch.objects
      .flatMap(({ header }) =>
        header.restorePoints.filter((point) => timelineAt(branch, point.lsn) === header.timeline),
      )
      .filter((point) => point.name === name)
      .map((point) => [point.lsn, point]),
  );
  const [point, another] = [...named.values()];
  if (point === undefined) return outside(branch, `no restore point '${name}' is in the log at hand`, {});
  if (another !== undefined) {
    fail(
      'TARGET_AMBIGUOUS',
      `restore point '${name}' exists ${named.size} times on timeline ${branch.history.timeline}`,
      {
        hint: `name one by its position: ${[...named.keys()].map((lsn) => `\`--to lsn:${lsn}\``).join(' or ')}`,
        details: { points: [...named.values()].map(({ lsn, time }) => ({ lsn, time })) },
      },
    );
  }
  return at(branch, point, point.lsn, { moment: point.time, words: `restore point '${name}'` });
}

/** The record itself, or without one the record in front of `lsn`; from the newest base that ended before. */
async function at(
  branch: Branch,
  record: LogRecord | undefined,
  lsn: Lsn,
  { moment, words }: { readonly moment: Moment; readonly words: string },
): Promise<Found> {
  for (const base of branch.bases) {
    const isInRun = compareLsn(base.floor, lsn) <= 0 && compareLsn(lsn, base.run.toLsn) < 0;
    if (!isInRun || compareLsn(base.details.stopLsn, lsn) > 0) continue;
    const last = record ?? (await lastRecordBefore(branch.archive, branch.history, lsn, base.floor));
    if (compareLsn(last.endLsn, base.run.toLsn) > 0) continue;
    if (compareLsn(last.endLsn, base.details.stopLsn) >= 0) return { base, record: last, moment };
  }
  return outside(branch, `${words} lies before the end of every base backup that could lead to it`, { lsn });
}

async function findLatest(branch: Branch): Promise<Found> {
  const base = branch.bases[0];
  if (base === undefined) return outside(branch, 'no base backup has all the log it needs', {});
  const record = await lastRecordBefore(branch.archive, branch.history, base.run.toLsn, base.floor);
  if (compareLsn(record.endLsn, base.details.stopLsn) < 0)
    return outside(branch, 'the log ends before the base backup', {});
  return { base, record };
}

async function findConsistent(branch: Branch): Promise<Found> {
  const base = branch.bases[0];
  if (base === undefined) return outside(branch, 'no base backup has all the log it needs', {});
  const { stopLsn } = base.details;
  const before = await lastRecordBefore(branch.archive, branch.history, stopLsn, base.floor);
  if (compareLsn(before.endLsn, stopLsn) >= 0) return { base, record: before };
  const record = await firstRecordFrom(branch.archive, branch.history, before.endLsn, base.run.toLsn);
  return record === undefined ? outside(branch, 'the log ends before the base backup', {}) : { base, record };
}
