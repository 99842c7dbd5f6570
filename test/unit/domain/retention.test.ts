// Retention rules: each rule by example, days of changed clocks and leap days, and properties over seeded random histories.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { calendarOf } from '../../../src/domain/calendar.ts';
import type { Moment } from '../../../src/domain/moment.ts';
import {
  addSeconds,
  type JudgedSnapshot,
  judgeSnapshots,
  type RetentionQuestion,
  type RetentionRules,
} from '../../../src/domain/retention.ts';
import { proofLevels } from '../../../src/domain/states.ts';
import { seeded } from '../../support/seeded.ts';

const DAY = 86_400;
const at = (text: string) => `${text.length === 10 ? `${text}T02:00:00` : text}.000000Z` as Moment;

function snapshot(to: string, more: Partial<JudgedSnapshot> = {}): JudgedSnapshot {
  return { id: to, kind: 'physical', class: 'full', state: 'clean', to: at(to), ...more };
}

function question(rules: RetentionRules | undefined, now: string, more: Partial<RetentionQuestion> = {}) {
  return { rules: rules === undefined ? {} : { full: rules }, holds: [], timezone: 'UTC', now: at(now), ...more };
}

/** Ids that are kept, with the rules that keep them. */
function keptBy(snapshots: readonly JudgedSnapshot[], asked: RetentionQuestion): Record<string, string> {
  const kept = judgeSnapshots(snapshots, asked).filter(({ reasons }) => reasons.length > 0);
  return Object.fromEntries(kept.map((each) => [each.snapshot.id, each.reasons.map(({ rule }) => rule).join(' ')]));
}

const days = (from: string, count: number) =>
  Array.from({ length: count }, (_, day) => snapshot(addSeconds(at(from), day * DAY).slice(0, 10)));

describe('retention rules', () => {
  it('keeps by age to the microsecond, and says since when a snapshot is not needed', () => {
    const snapshots = days('2026-11-01', 10);
    const judged = judgeSnapshots(snapshots, question({ ageSeconds: 3 * DAY }, '2026-11-10T02:00:00'));
    assert.deepEqual(
      judged.map(({ snapshot: { id }, since }) => `${id} ${since ?? 'kept'}`),
      [
        ...['2026-11-10 kept', '2026-11-09 kept', '2026-11-08 kept', '2026-11-07 2026-11-10T02:00:00.000000Z'],
        ...['2026-11-06 2026-11-09T02:00:00.000000Z', '2026-11-05 2026-11-08T02:00:00.000000Z'],
        ...['2026-11-04 2026-11-07T02:00:00.000000Z', '2026-11-03 2026-11-06T02:00:00.000000Z'],
        ...['2026-11-02 2026-11-05T02:00:00.000000Z', '2026-11-01 2026-11-04T02:00:00.000000Z'],
      ],
    );
    assert.deepEqual(judged[1]?.reasons, [
      { rule: 'age', words: 'younger than 3d', until: '2026-11-12T02:00:00.000000Z' },
    ]);
  });

  it('keeps the union of its rules', () => {
    const kept = keptBy(days('2026-01-01', 100), question({ last: 2, daily: 3, weekly: 2, monthly: 3 }, '2026-04-11'));
    assert.deepEqual(kept, {
      '2026-04-10': 'newest last daily weekly monthly',
      '2026-04-09': 'last daily',
      '2026-04-08': 'daily',
      '2026-04-05': 'weekly',
      '2026-03-31': 'monthly',
      '2026-02-28': 'monthly',
    });
  });

  it('counts the periods that have a snapshot, so that an outage costs none', () => {
    const snapshots = [snapshot('2026-11-01'), snapshot('2026-11-02'), snapshot('2026-11-20')];
    assert.deepEqual(Object.keys(keptBy(snapshots, question({ daily: 2 }, '2026-12-24'))), [
      '2026-11-20',
      '2026-11-02',
    ]);
  });

  it('keeps everything of a class without a policy', () => {
    const kept = keptBy(
      [...days('2020-01-01', 5), snapshot('2020-02-01', { class: 'other' })],
      question(undefined, '2026-11-01'),
    );
    assert.equal(Object.keys(kept).length, 6);
    assert.match(kept['2020-01-01'] ?? '', /no policy/);
  });

  it('never lets go of the newest of a class, however old it is', () => {
    const kept = keptBy(days('2020-01-01', 5), question({ ageSeconds: DAY }, '2026-11-01'));
    assert.deepEqual(kept, { '2020-01-05': 'newest' });
  });

  it('never lets go of the newest proven one, whatever newer ones are only listed', () => {
    const proofs = { '2026-01-02': 'queried', '2026-01-03': 'restored', '2026-01-04': 'hashed' } as const;
    const snapshots = days('2026-01-01', 6).map((each) => ({ ...each, ...proof(proofs, each.id) }));
    assert.deepEqual(keptBy(snapshots, question({ ageSeconds: DAY }, '2026-11-01')), {
      '2026-01-06': 'newest',
      '2026-01-03': 'newest proven',
    });
    const listed = days('2026-01-01', 3).map((each) => ({ ...each, ...proof({ '2026-01-01': 'listed' }, each.id) }));
    assert.match(keptBy(listed, question({ ageSeconds: DAY }, '2026-11-01'))['2026-01-01'] ?? '', /newest proven/);
  });

  it('never lets go of the last clean one while newer ones are damaged, and gives damaged ones no place', () => {
    const snapshots = days('2026-01-01', 6).map(
      (each, index) => ({ ...each, state: index < 2 ? 'clean' : 'damaged' }) as const,
    );
    const kept = keptBy(snapshots, question({ ageSeconds: DAY }, '2026-11-01'));
    assert.deepEqual(kept, { '2026-01-06': 'newest', '2026-01-02': 'newest clean' });
    assert.deepEqual(Object.keys(keptBy(snapshots, question({ last: 2 }, '2026-11-01'))).length, 6);
    const daily = keptBy(snapshots, question({ daily: 2 }, '2026-11-01'));
    assert.ok('2026-01-02' in daily && '2026-01-01' in daily, JSON.stringify(daily));
    const sameDay = [
      snapshot('2026-01-01T02:00:00'),
      snapshot('2026-01-01T03:00:00', { state: 'damaged' }),
      snapshot('2026-01-02'),
    ];
    assert.deepEqual(Object.keys(keptBy(sameDay, question({ daily: 2 }, '2026-11-01'))), [
      '2026-01-02',
      '2026-01-01T02:00:00',
    ]);
  });

  it('keeps what is held until the hold ends', () => {
    const hold = { id: 'hold-1', snapshot: '2026-01-01', reason: 'court order' };
    const asked = question({ ageSeconds: DAY }, '2026-11-01', { holds: [hold] });
    assert.equal(keptBy(days('2026-01-01', 3), asked)['2026-01-01'], 'hold');
    const ending = { ...hold, until: at('2026-10-01') };
    const ended = judgeSnapshots(days('2026-01-01', 3), { ...asked, holds: [ending] });
    assert.deepEqual([ended[2]?.reasons, ended[2]?.since], [[], ending.until]);
    const all = keptBy(days('2026-01-01', 3), { ...asked, holds: [{ id: 'hold-2', reason: 'incident' }] });
    assert.equal(Object.keys(all).length, 3);
  });
});

function proof(proofs: Readonly<Record<string, JudgedSnapshot['proof']>>, id: string): Partial<JudgedSnapshot> {
  const level = proofs[id];
  return level === undefined ? {} : { proof: level };
}

describe('periods', () => {
  it('cuts days at the wall clock of the zone, also where clocks change', () => {
    const day = (moment: string) => calendarOf('Europe/Berlin')('daily', at(moment));
    assert.deepEqual(
      ['2026-10-24T21:59:59', '2026-10-24T22:00:00', '2026-10-25T22:59:59', '2026-10-25T23:00:00'].map(day),
      ['2026-10-24', '2026-10-25', '2026-10-25', '2026-10-26'],
    );
    assert.deepEqual(
      ['2026-03-28T22:59:59', '2026-03-28T23:00:00', '2026-03-29T21:59:59', '2026-03-29T22:00:00'].map(day),
      ['2026-03-28', '2026-03-29', '2026-03-29', '2026-03-30'],
    );
  });

  it('keeps one of each day over a day that has 25 hours and one that has 23', () => {
    for (const from of ['2026-10-23T22:00:00', '2026-03-26T23:00:00']) {
      const hours = Array.from({ length: 24 * 4 + (from.includes('-10-') ? 1 : -1) }, (_, hour) =>
        snapshot(addSeconds(at(from), hour * 3600).slice(0, 19)),
      );
      const kept = keptBy(hours, question({ daily: 14 }, '2026-12-01', { timezone: 'Europe/Berlin' }));
      assert.equal(Object.keys(kept).length, 4, from);
    }
  });

  it('knows leap days, ISO weeks and the ends of years', () => {
    assert.deepEqual(
      ['2028-02-28', '2028-02-29', '2028-03-01'].map((day) => calendarOf('UTC')('daily', at(day))),
      ['2028-02-28', '2028-02-29', '2028-03-01'],
    );
    assert.equal(calendarOf('UTC')('monthly', at('2028-02-29')), '2028-02');
    const weeks = {
      '2026-12-31': '2026-W53',
      '2027-01-01': '2026-W53',
      '2027-01-04': '2027-W01',
      '2024-12-30': '2025-W01',
    };
    for (const [day, week] of Object.entries(weeks)) assert.equal(calendarOf('UTC')('weekly', at(day)), week);
    assert.equal(calendarOf('Asia/Tokyo')('yearly', at('2026-12-31T23:30:00')), '2027');
  });
});

describe('properties of retention, over seeded random histories', () => {
  const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = seeded(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const maybe = <T>(value: T): T | undefined => (random() < 0.4 ? value : undefined);

  function randomRules(): RetentionRules {
    const rules = {
      ageSeconds: maybe(1 + below(40 * DAY)),
      last: maybe(1 + below(6)),
      daily: maybe(1 + below(10)),
      weekly: maybe(1 + below(5)),
      monthly: maybe(1 + below(5)),
      yearly: maybe(1 + below(3)),
    };
    return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
  }

  function randomSnapshots(count: number): JudgedSnapshot[] {
    return Array.from({ length: count }, (_, index) => ({
      id: `s${index}`,
      kind: 'physical',
      class: random() < 0.7 ? 'full' : 'incremental',
      state: random() < 0.8 ? 'clean' : 'damaged',
      to: addSeconds(at('2026-01-01'), below(120 * DAY)),
      ...(random() < 0.3 ? { proof: proofLevels[below(proofLevels.length)] as (typeof proofLevels)[number] } : {}),
    }));
  }

  function randomQuestion(): RetentionQuestion {
    const holds = random() < 0.3 ? [{ id: 'hold-1', snapshot: `s${below(8)}`, reason: 'why' }] : [];
    const timezone = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Apia'][below(4)] as string;
    return { rules: { full: randomRules(), incremental: randomRules() }, holds, timezone, now: at('2026-05-15') };
  }

  const ids = (snapshots: readonly JudgedSnapshot[], asked: RetentionQuestion) =>
    Object.keys(keptBy(snapshots, asked)).sort();

  it(`holds for every history (HOLDFAST_SEED=${seed})`, () => {
    for (let round = 0; round < 150; round++) {
      const snapshots = randomSnapshots(1 + below(25));
      const asked = randomQuestion();
      const where = `round ${round} of seed ${seed}`;
      const kept = ids(snapshots, asked);

      // Never empty; the newest of each class, a proven one if any is, and a clean one if any is, are in it.
      assert.ok(kept.length > 0, where);
      for (const state of ['clean', undefined] as const) {
        const some = snapshots.filter((each) => state === undefined || each.state === state);
        assert.ok(some.length === 0 || some.some(({ id }) => kept.includes(id)), where);
      }
      const shown = snapshots.filter(({ proof: level }) => level === 'restored' || level === 'queried');
      assert.ok(shown.length === 0 || shown.some(({ id }) => kept.includes(id)), where);

      // The order in which they are given says nothing.
      assert.deepEqual(ids([...snapshots].reverse(), asked), kept, where);

      // One more rule, or a larger number, keeps at least the same.
      const more = {
        ...asked,
        rules: {
          full: { ...asked.rules.full, ...larger(asked.rules.full) },
          incremental: asked.rules.incremental as RetentionRules,
        },
      };
      for (const id of kept) assert.ok(ids(snapshots, more).includes(id), `${where}: a larger policy lost ${id}`);

      // A snapshot older than all others takes nothing away.
      const older = { ...snapshot('2025-06-01'), id: 'older' };
      const withOlder = ids([...snapshots, older], asked);
      for (const id of kept) assert.ok(withOlder.includes(id), `${where}: an older snapshot cost ${id}`);

      // A newer one takes away only by counts, calendar and being newest: what age or a hold keeps stays.
      const newer = { ...snapshot('2026-05-14'), id: 'newer' };
      const withNewer = judgeSnapshots([...snapshots, newer], asked);
      for (const {
        snapshot: { id },
        reasons,
      } of judgeSnapshots(snapshots, asked)) {
        if (!reasons.some(({ rule }) => rule === 'age' || rule === 'hold')) continue;
        assert.ok(
          withNewer.find((each) => each.snapshot.id === id)?.reasons.length,
          `${where}: a newer one cost ${id}`,
        );
      }

      // What is not needed has been so since a moment: never in the future; right before it something kept it.
      for (const { snapshot: each, reasons, since } of judgeSnapshots(snapshots, asked)) {
        if (reasons.length > 0) {
          assert.equal(since, undefined, where);
          continue;
        }
        assert.ok(since !== undefined && since <= asked.now && since >= each.to, `${where}: ${each.id} since ${since}`);
        if (since === each.to) continue;
        const then = snapshots.filter(({ to, id }) => to < since || id === each.id);
        const before = { ...asked, now: previous(since) };
        assert.ok(ids(then, before).includes(each.id), `${where}: ${each.id} was lost before ${since}`);
      }
    }
  });

  function larger(rules: RetentionRules = {}): RetentionRules {
    const name = (['ageSeconds', 'last', 'daily', 'weekly', 'monthly', 'yearly'] as const)[
      below(6)
    ] as keyof RetentionRules;
    return { [name]: (rules[name] ?? 0) + 1 + below(5) };
  }

  function previous(moment: Moment): Moment {
    return addSeconds(moment, -1);
  }
});
