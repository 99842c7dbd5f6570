// The way of the log, compared with a scan of every single position.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogStretch, pathRuns } from '../../../src/domain/log-path.ts';
import { lsnFrom } from '../../../src/domain/lsn.ts';
import { type Moment, momentFromUnixMicros } from '../../../src/domain/moment.ts';
import { firstPartLeftOut, isLeftOut, runningMaximum } from '../../../src/domain/recovery-stop.ts';
import type { TimelineHistory } from '../../../src/domain/timeline.ts';
import { seeded } from '../../support/seeded.ts';

const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const length = 60;

function randomHistory(random: () => number): TimelineHistory {
  const switches = Math.floor(random() * 3);
  const at = Array.from({ length: switches }, () => Math.floor(random() * length)).sort((a, b) => a - b);
  const ancestors = at.map((position, index) => ({
    timeline: index + 1,
    switchLsn: lsnFrom(BigInt(position)),
    reason: '',
  }));
  return { timeline: switches + 1, ancestors };
}

function randomStretches(random: () => number): LogStretch[] {
  return Array.from({ length: Math.floor(random() * 12) }, () => {
    const from = Math.floor(random() * length);
    const to = from + 1 + Math.floor(random() * 15);
    return { timeline: 1 + Math.floor(random() * 4), fromLsn: lsnFrom(BigInt(from)), toLsn: lsnFrom(BigInt(to)) };
  });
}

function scan(history: TimelineHistory, stretches: readonly LogStretch[]): string[] {
  const runs: string[] = [];
  let from: number | undefined;
  for (let at = 0; at <= length + 20; at += 1) {
    const timeline =
      history.ancestors.find(({ switchLsn }) => at < Number.parseInt(switchLsn.slice(2), 16))?.timeline ??
      history.timeline;
    const value = (lsn: string) => Number.parseInt(lsn.slice(2), 16);
    const isThere = stretches.some((it) => it.timeline === timeline && value(it.fromLsn) <= at && at < value(it.toLsn));
    if (isThere) from ??= at;
    else if (from !== undefined) {
      runs.push(`${lsnFrom(BigInt(from))} ${lsnFrom(BigInt(at))}`);
      from = undefined;
    }
  }
  return runs;
}

test('runs of log along a way through timelines are those that a scan of every position finds', () => {
  const random = seeded(seed);
  for (let round = 0; round < 3000; round += 1) {
    const [history, stretches] = [randomHistory(random), randomStretches(random)];
    const runs = pathRuns(history, stretches).map(({ fromLsn, toLsn }) => `${fromLsn} ${toLsn}`);
    assert.deepEqual(runs, scan(history, stretches), `seed ${seed}, round ${round}`);
  }
});

test('the part of the log with the first transaction left out is the one that a scan of all transactions finds', () => {
  const random = seeded(seed + 1);
  const at = (value: number) => momentFromUnixMicros(BigInt(value));
  for (let round = 0; round < 3000; round += 1) {
    const parts = Array.from({ length: Math.floor(random() * 8) }, () =>
      Array.from({ length: Math.floor(random() * 4) }, () => at(Math.floor(random() * 30))),
    );
    const target = at(Math.floor(random() * 32));
    const exclusive = random() < 0.5;
    const largest = (times: readonly Moment[]) => [...times].sort().at(-1);
    const maxima = runningMaximum(parts.map(largest));
    const found = parts.findIndex((times) => times.some((time) => isLeftOut(time, target, exclusive)));
    assert.equal(
      firstPartLeftOut(maxima, target, exclusive),
      found === -1 ? parts.length : found,
      `seed ${seed}, round ${round}`,
    );
  }
});

test('a moment itself is replayed, and left out only when that was asked for', () => {
  const [before, same, after] = [momentFromUnixMicros(9n), momentFromUnixMicros(10n), momentFromUnixMicros(11n)];
  assert.deepEqual(
    [before, same, after].map((time) => isLeftOut(time, same, false)),
    [false, false, true],
  );
  assert.deepEqual(
    [before, same, after].map((time) => isLeftOut(time, same, true)),
    [false, true, true],
  );
});
