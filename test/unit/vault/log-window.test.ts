// The promise of the log window: every moment in it can be recovered to, however few snapshots the rules keep; over seeded random histories.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Lsn, lsnFrom, lsnValue } from '../../../src/domain/lsn.ts';
import type { Moment } from '../../../src/domain/moment.ts';
import { addSeconds } from '../../../src/domain/retention.ts';
import { isOnPath, type TimelineHistory } from '../../../src/domain/timeline.ts';
import { decideLog, type JudgeParts, judgeManifests } from '../../../src/vault/retention/decide.ts';
import type { LogObjectFacts, ManifestFacts } from '../../../src/vault/retention/facts.ts';
import { seeded } from '../../support/seeded.ts';

const HOUR = 3600;
const SEGMENT = 16;
const COPIES = ['local', 'eu'];
const SYSTEM = '7432198765432109876';
const hour = (n: number): Moment => addSeconds('2026-01-01T00:00:00.000000Z' as Moment, n * HOUR);
const lsn = (segment: number, offset = 0): Lsn => lsnFrom(BigInt(segment * SEGMENT + offset));

interface Base {
  readonly hour: number;
  readonly timeline: number;
  readonly state: 'clean' | 'damaged';
  copies: readonly string[];
}

/** One segment an hour, named by it. A base ends in the middle of its hour. */
class Estate {
  readonly bases: Base[] = [];
  readonly log: { readonly hour: number; readonly timeline: number }[] = [];
  readonly histories: TimelineHistory[] = [{ timeline: 1, ancestors: [] }];
  readonly newest = new Map<number, number>();
  readonly windowHours: number;
  readonly last: number;

  constructor(windowHours: number, last: number) {
    this.windowHours = windowHours;
    this.last = last;
  }

  get timeline(): number {
    return this.histories.length;
  }

  passHour(n: number): void {
    this.log.push({ hour: n, timeline: this.timeline });
    this.newest.set(this.timeline, n + 1);
  }

  promote(n: number): void {
    const before = this.histories.at(-1) as TimelineHistory;
    const step = { timeline: before.timeline, switchLsn: lsn(n), reason: '' };
    this.histories.push({ timeline: before.timeline + 1, ancestors: [...before.ancestors, step] });
  }

  parts(now: number, policy: Partial<JudgeParts['policy']> = {}): JudgeParts {
    const timelines = this.histories.flatMap((history) => {
      const newest = this.newest.get(history.timeline);
      return newest === undefined ? [] : [{ timeline: history.timeline, history, newest: hour(newest) }];
    });
    const log = { systemId: SYSTEM, segmentSizeBytes: SEGMENT, timelines, objects: this.log.map(logFacts) };
    return {
      facts: { component: 'database/main', manifests: this.bases.map(manifestFacts), generations: [], logs: [log] },
      policy: {
        component: 'database/main',
        rules: { full: { last: this.last } },
        logWindowSeconds: this.windowHours * HOUR,
        ...policy,
      },
      request: { proofs: {}, passing: [], timezone: 'UTC' } as unknown as JudgeParts['request'],
      holds: [],
      now: hour(now),
      generationMs: 0,
      copies: COPIES,
      begun: new Set(),
    };
  }

  /** Without any grace: what is not needed is gone at once. `judged`: the policy by which snapshots are judged. */
  apply(now: number, judged: Partial<JudgeParts['policy']> = {}): void {
    const gone = judgeManifests(this.parts(now, judged)).filter(({ reasons }) => reasons.length === 0);
    const hours = new Set(gone.map(({ snapshot }) => snapshot.id));
    this.bases.splice(0, this.bases.length, ...this.bases.filter((base) => !hours.has(String(base.hour))));
    const keys = new Set(
      decideLog(this.parts(now), new Set()).flatMap(({ unneeded }) => unneeded.map(({ key }) => key)),
    );
    this.log.splice(0, this.log.length, ...this.log.filter((each) => !keys.has(logFacts(each).key)));
  }

  /** Moments of the window, by timeline and hour, that no base and unbroken log lead to. `first`: hour of the first clean base that ever was. */
  unrecoverable(first: number): string[] {
    const windowFrom = Math.max(...this.newest.values()) - this.windowHours;
    const kept = new Set(this.log.map(({ timeline, hour: n }) => `${timeline} ${n}`));
    return this.histories.flatMap((history) => {
      const newest = this.newest.get(history.timeline) ?? 0;
      if (newest < windowFrom) return [];
      const ends = history.ancestors.map(({ timeline, switchLsn }) => ({
        timeline,
        end: Number(lsnValue(switchLsn)) / SEGMENT,
      }));
      const timelineAt = (n: number) => ends.find(({ end }) => n < end)?.timeline ?? history.timeline;
      const bases = this.bases.filter(({ state, timeline, hour: n }) => {
        return state === 'clean' && isOnPath(history, timeline, lsn(n, 9));
      });
      const hours = new Set(bases.map((base) => base.hour));
      let isReached = false;
      const reached = new Set<number>();
      for (const n of range(Math.min(...hours), newest)) {
        // From the base of an hour its own later moments are reached, by the log of that hour.
        const isKept = kept.has(`${timelineAt(n)} ${n}`);
        if (isReached && isKept) reached.add(n);
        isReached = isKept && (isReached || hours.has(n));
      }
      return range(Math.max(windowFrom, first + 1), newest)
        .filter((n) => !reached.has(n))
        .map((n) => `${history.timeline} ${n}`);
    });
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n);
}

function manifestFacts({ hour: n, timeline, state, copies }: Base): ManifestFacts {
  const engine = { systemId: SYSTEM, timeline, startLsn: lsn(n, 3), stopLsn: lsn(n, 9) };
  const header = { id: String(n), component: 'database/main', kind: 'physical', class: 'full', state, engine };
  const times = { from: hour(n), to: addSeconds(hour(n), HOUR / 2) };
  const key = `database/main/snapshots/${n}`;
  return { key, sizeBytes: 1, header: { ...header, ...times } as never, generations: [], packs: [], copies };
}

function logFacts({ hour: n, timeline }: { hour: number; timeline: number }): LogObjectFacts {
  const onCopies = new Map(COPIES.map((copy) => [copy, SEGMENT] as const));
  return { key: `${timeline}/${n}`, timeline, fromLsn: lsn(n), toLsn: lsn(n + 1), onCopies };
}

interface Played {
  readonly unrecoverable: readonly string[];
  readonly mostBases: number;
  /** Hours of log before the window, at most; and hours between two clean bases, at most. */
  readonly mostBefore: number;
  readonly longestGap: number;
}

/** Six weeks, a base about every day, a run of retention every day. */
function play(
  random: () => number,
  estate: Estate,
  faults: boolean,
  judged: Partial<JudgeParts['policy']> = {},
): Played {
  const unrecoverable: string[] = [];
  let [first, mostBases, mostBefore, longestGap, lastClean] = [Number.POSITIVE_INFINITY, 0, 0, 0, 0];
  const spacing = 6 + Math.floor(random() * 30);
  for (let n = 0; n < 42 * 24; n++) {
    if (faults && random() < 0.003 && n > 0) estate.promote(n);
    estate.passHour(n);
    if (n % spacing === 0) {
      const state = faults && random() < 0.2 ? 'damaged' : 'clean';
      const copies = faults && random() < 0.3 ? [COPIES[Math.floor(random() * 2)] as string] : COPIES;
      estate.bases.push({ hour: n, timeline: estate.timeline, state, copies });
      if (state === 'clean') {
        first = Math.min(first, n);
        [longestGap, lastClean] = [Math.max(longestGap, n - lastClean), n];
      }
    }
    // Copies catch up sooner or later.
    if (random() < 0.05) for (const base of estate.bases) base.copies = COPIES;
    if (n % 24 !== 23) continue;
    estate.apply(n + 1, judged);
    unrecoverable.push(...estate.unrecoverable(first).map((each) => `${each} after hour ${n}`));
    mostBases = Math.max(mostBases, estate.bases.length);
    const windowFrom = n + 1 - estate.windowHours;
    const oldest = Math.min(...estate.log.map((each) => each.hour));
    mostBefore = Math.max(mostBefore, windowFrom - oldest);
  }
  return { unrecoverable, mostBases, mostBefore, longestGap };
}

describe('the log window', () => {
  const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const estateOf = (random: () => number) =>
    new Estate(1 + Math.floor(random() * 15 * 24), 1 + Math.floor(random() * 3));

  it(`keeps every moment recoverable, through promotions, damaged bases and copies behind (HOLDFAST_SEED=${seed})`, () => {
    for (let round = 0; round < 3; round++) {
      const random = seeded(seed + round);
      const { unrecoverable } = play(random, estateOf(random), true);
      assert.deepEqual(unrecoverable.slice(0, 5), [], `round ${round} of seed ${seed}`);
    }
  });

  it(`keeps two bases for it at most, and log for no more than two windows (HOLDFAST_SEED=${seed})`, () => {
    for (let round = 0; round < 3; round++) {
      const random = seeded(seed + round);
      const estate = estateOf(random);
      const { mostBases, mostBefore, longestGap } = play(random, estate, false);
      const where = `round ${round} of seed ${seed}: window ${estate.windowHours} h, a base every ${longestGap} h`;
      assert.ok(mostBases <= estate.last + 2, `${where}: ${mostBases} bases for last ${estate.last}`);
      assert.ok(mostBefore <= estate.windowHours + 2 * longestGap + 48, `${where}: ${mostBefore} h before the window`);
    }
  });

  it('is not kept by rules alone: two daily bases and fourteen days of log', () => {
    const withoutWindow = { logWindowSeconds: undefined } as never;
    const alone = play(seeded(1), new Estate(14 * 24, 2), false, withoutWindow);
    assert.ok(alone.unrecoverable.length > 100, `${alone.unrecoverable.length}`);
    assert.deepEqual(play(seeded(1), new Estate(14 * 24, 2), false).unrecoverable, []);
  });
});
