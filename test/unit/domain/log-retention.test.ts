// Which log must stay: around every snapshot, and the continuous window through the tree of timelines.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  isNeededLog,
  type LogBase,
  type LogQuestion,
  neededLog,
  whyUnneeded,
} from '../../../src/domain/log-retention.ts';
import { lsnFrom } from '../../../src/domain/lsn.ts';
import type { Moment } from '../../../src/domain/moment.ts';

const SEGMENT = 16;
const HOUR = 3600;
const hour = (n: number) =>
  `2026-11-${String(10 + Math.floor(n / 24)).padStart(2, '0')}T${String(n % 24).padStart(2, '0')}:00:00.000000Z` as Moment;
const lsn = (segment: number) => lsnFrom(BigInt(segment * SEGMENT));

function base(segment: number, to: number, more: Partial<LogBase> = {}): LogBase {
  const [startLsn, stopLsn] = [lsnFrom(BigInt(segment * SEGMENT + 3)), lsnFrom(BigInt(segment * SEGMENT + 9))];
  return { timeline: 1, startLsn, stopLsn, to: hour(to), everywhere: true, state: 'clean', ...more };
}

/** Segments of a timeline that are needed, from 0 to 99. */
function segments(asked: Partial<LogQuestion>, timeline = 1): string {
  const full = {
    bases: [],
    timelines: [],
    segmentSizeBytes: SEGMENT,
    windowSeconds: 24 * HOUR,
    now: hour(100),
    ...asked,
  };
  const { needed } = neededLog(full);
  const kept = Array.from({ length: 100 }, (_, n) => n).filter((n) =>
    isNeededLog(needed, { timeline, fromLsn: lsn(n), toLsn: lsn(n + 1) }),
  );
  const ranges: string[] = [];
  for (const n of kept) {
    const [first, last] = ranges.at(-1)?.split('-') ?? [];
    if (last !== undefined && Number(last) === n - 1) ranges[ranges.length - 1] = `${first}-${n}`;
    else ranges.push(`${n}-${n}`);
  }
  return ranges.join(' ');
}

const first = { timeline: 1, history: { timeline: 1, ancestors: [] } };

describe('log that must stay', () => {
  it('is each snapshot’s own, and all from the newest base in front of the window', () => {
    const bases = [base(10, 10), base(30, 30), base(50, 50), base(70, 70), base(90, 90)];
    assert.equal(segments({ bases, timelines: [{ ...first, newest: hour(100) }] }), '10-10 30-30 50-50 70-99');
  });

  it('is counted back from the last sign of life: a database that is down loses nothing of its window', () => {
    const bases = [base(10, 10), base(50, 50), base(90, 90)];
    const timelines = [{ ...first, newest: hour(60) }];
    assert.equal(segments({ bases, timelines, now: hour(9 * 24) }), '10-99');
  });

  it('is all from the first base when none lies before the window, and everything when there is none', () => {
    const timelines = [{ ...first, newest: hour(100) }];
    assert.equal(segments({ bases: [base(90, 90)], timelines }), '90-99');
    assert.equal(segments({ timelines }), '0-99');
  });

  it('counts on no damaged base, and on none that a copy lacks', () => {
    const timelines = [{ ...first, newest: hour(100) }];
    for (const more of [{ state: 'damaged' }, { everywhere: false }] as const) {
      assert.equal(segments({ bases: [base(40, 40), base(70, 70, more)], timelines }), '40-99');
    }
  });

  it('is judged by everything when nobody knows how old a timeline is or what leads to it', () => {
    assert.equal(segments({ bases: [base(10, 10)], timelines: [first] }), '10-99');
    assert.equal(segments({ bases: [base(10, 10)], timelines: [first, { timeline: 2, newest: hour(100) }] }), '0-99');
  });

  it('follows every branch that lived in the window, and lets go of one that was left before it', () => {
    const second = {
      timeline: 2,
      history: { timeline: 2, ancestors: [{ timeline: 1, switchLsn: lsn(60), reason: '' }] },
    };
    const bases = [base(10, 10), base(50, 50), base(80, 70)];
    const both = {
      bases,
      timelines: [
        { ...first, newest: hour(90) },
        { ...second, newest: hour(100) },
      ],
    };
    assert.equal(segments(both), '10-10 50-59 80-99');
    assert.equal(segments(both, 2), '60-99');
    const left = {
      bases,
      timelines: [
        { ...first, newest: hour(60) },
        { ...second, newest: hour(100) },
      ],
    };
    assert.equal(segments(left), '10-10 50-59 80-80');
    const newBase = base(70, 75, { timeline: 2 });
    const moved = { bases: [...bases, newBase], timelines: left.timelines };
    assert.equal(segments(moved), '10-10 50-50 80-80');
    assert.equal(segments(moved, 2), '70-99');
  });

  it('keeps the segment in which a timeline was left, on both', () => {
    const switchLsn = lsnFrom(BigInt(60 * SEGMENT + 5));
    const second = {
      timeline: 2,
      history: { timeline: 2, ancestors: [{ timeline: 1, switchLsn, reason: '' }] },
      newest: hour(100),
    };
    const asked = { bases: [base(50, 50)], timelines: [{ ...first, newest: hour(60) }, second] };
    assert.equal(segments(asked), '50-60');
    assert.equal(segments(asked, 2), '60-99');
  });

  it('says of what must not stay whether it is old, or of a timeline that was left', () => {
    const ancestors = [{ timeline: 1, switchLsn: lsn(40), reason: 'restore' }];
    const timelines = [
      { ...first, newest: hour(42) },
      { timeline: 2, history: { timeline: 2, ancestors }, newest: hour(100) },
    ];
    const question = { bases: [], timelines, segmentSizeBytes: SEGMENT, windowSeconds: 24 * HOUR, now: hour(100) };
    const why = (timeline: number, n: number) =>
      whyUnneeded(question, { timeline, fromLsn: lsn(n), toLsn: lsn(n + 1) });
    assert.match(why(1, 10), /^older than the continuous window/);
    assert.match(why(1, 41), /^of timeline 1, which was left before the continuous window/);
    assert.match(why(2, 50), /^older than the continuous window/);
  });
});
