// Refuses a target that cannot be recovered, and says which moments around it can.

import { compareLsn, type Lsn } from '../../domain/lsn.ts';
import { type Moment, shortMoment } from '../../domain/moment.ts';
import { fail } from '../../errors/index.ts';
import type { LogHole } from '../types.ts';
import { type Branch, momentBefore } from './branch.ts';
import { holesOf } from './windows.ts';

interface Wanted {
  readonly moment?: Moment;
  readonly lsn?: Lsn;
}

interface Stretch {
  readonly from: Moment;
  readonly to: Moment;
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
}

/** Throws `TARGET_OUTSIDE` with the recoverable stretches, the holes between them and the nearest moment on either side. */
export function outside(branch: Branch, message: string, wanted: Wanted): never {
  const stretches = recoverable(branch);
  const earlier = stretches.filter((it) => liesAfter(wanted, it.to, it.toLsn)).at(-1);
  const later = stretches.find((it) => liesBefore(wanted, it.from, it.fromLsn));
  const nearest = {
    ...(earlier === undefined ? {} : { before: { time: earlier.to, lsn: earlier.toLsn } }),
    ...(later === undefined ? {} : { after: { time: later.from, lsn: later.fromLsn } }),
  };
  const oldest = branch.bases.at(-1);
  const { timeline } = branch.history;
  const holes = oldest === undefined ? [] : holesOf(branch, oldest.details.stopLsn);
  const hole = holes.find((each) => liesIn(wanted, each));
  const why = hole === undefined ? '' : `; it has a hole from ${hole.fromLsn} to ${hole.toLsn}`;
  return fail('TARGET_OUTSIDE', `${message}${why} (timeline ${timeline}, copy '${branch.archive.copy}')`, {
    hint: hintOf(stretches, earlier, later),
    details: {
      timeline,
      copy: branch.archive.copy,
      windows: stretches,
      holes,
      nearest,
    },
  });
}

function recoverable(branch: Branch): readonly Stretch[] {
  const byRun = new Map(branch.bases.map((base) => [base.run, base]));
  // Bases are ordered newest first, so the one kept of each run is its oldest.
  return [...byRun.values()].reverse().map(({ run, snapshot, details }) => {
    const to = momentBefore(branch, run.toLsn, details.stopLsn);
    return {
      from: snapshot.to,
      to: [to ?? snapshot.to, snapshot.to].sort().at(-1) as Moment,
      fromLsn: details.stopLsn,
      toLsn: run.toLsn,
    };
  });
}

function liesIn({ moment, lsn }: Wanted, { fromLsn, toLsn, after, before }: LogHole): boolean {
  if (lsn !== undefined) return compareLsn(lsn, fromLsn) >= 0 && compareLsn(lsn, toLsn) < 0;
  return moment !== undefined && after !== undefined && moment > after && (before === undefined || moment < before);
}

function liesAfter({ moment, lsn }: Wanted, time: Moment, end: Lsn): boolean {
  if (moment !== undefined) return moment >= time;
  return lsn !== undefined && compareLsn(lsn, end) >= 0;
}

function liesBefore({ moment, lsn }: Wanted, time: Moment, start: Lsn): boolean {
  if (moment !== undefined) return moment <= time;
  return lsn !== undefined && compareLsn(lsn, start) <= 0;
}

function hintOf(stretches: readonly Stretch[], earlier?: Stretch, later?: Stretch): string {
  if (stretches.length === 0) return 'take a base backup and let the log run: `holdfast backup`';
  const near = [
    ...(earlier === undefined ? [] : [`${shortMoment(earlier.to)} (lsn:${earlier.toLsn})`]),
    ...(later === undefined ? [] : [`${shortMoment(later.from)} (lsn:${later.fromLsn})`]),
  ];
  if (near.length > 0) return `the nearest that can be recovered: ${near.join(' and ')}`;
  const all = stretches.map(({ from, to }) => `${shortMoment(from)} to ${shortMoment(to)}`);
  return `what can be recovered: ${all.join(', ')}`;
}
