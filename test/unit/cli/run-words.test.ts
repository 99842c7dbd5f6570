// What the result of a backup says of its copies: those that have it, and apart from them those that have not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderRun } from '../../../src/cli/render/run.ts';
import type { Result } from '../../../src/cli/result.ts';

const run = { id: 'backup-3f9a1c2b', workflowId: 'acme/backup/database/main' };
const lineOf = (result: Partial<Result>, start: RegExp) =>
  renderRun({ state: 'completed', run, ...result } as Result, 'UTC').find((line) => start.test(line));

function stored(copies: object) {
  const bytes = { read: 2048, new: 1024, stored: 512 };
  const snapshot = { id: 's', kind: 'physical', state: 'clean', to: '2026-11-23T06:14:07Z', bytes, copies };
  return lineOf({ snapshot } as unknown as Partial<Result>, /^ {2}read /)?.replace(/.* stored \S+ \S+ /, '');
}

test('a copy that was away is told apart from those that have the snapshot', () => {
  assert.equal(
    stored({ local: 'present', eu: 'away', us: 'present', dr: 'absent' }),
    'on each of local, us; not on eu (away), dr (absent)',
  );
  assert.equal(stored({ local: 'present', us: 'present' }), 'on each of local, us');
  assert.equal(stored({ local: 'away' }), 'on no copy; not on local (away)');
});

test('the same of a point', () => {
  const point = { lsn: '0/1', timeline: 1, at: '2026-11-23T06:14:07Z', way: 'segment switch' };
  const copies = { local: 'reached', eu: 'behind' };
  assert.equal(
    lineOf({ point: { ...point, copies } } as unknown as Partial<Result>, /^ {2}log /),
    '  log without a gap since a base backup on local; not on eu (behind)',
  );
});

/** The lines of a restore of each kind that is done. */
function restored(result: Partial<Result>): readonly string[][] {
  const id = 'restore-3f9a1c2b';
  const timingsMs = { total: 1, restore: 1, compare: 1, fetch: 1, replay: 1, promote: 1, checks: 1 };
  const none = { count: 0, first: [] };
  const given = { id, to: '2026-11-23T06:14:07Z', snapshot: 's', timingsMs };
  const proof = { keys: 1, expired: 0, samples: 1, hasCompared: true };
  const { isServing } = result;
  const files = {
    ...given,
    lacking: none,
    compared: { entries: 1, differing: none },
    keptAt: ['/srv/up/.holdfast/old'],
  };
  const redis = {
    ...given,
    proof,
    ...(isServing === undefined ? { keptAt: '/old' } : { connection: 'redis://beside' }),
  };
  const database = {
    ...{ ...given, recoveredTo: given.to, recoveredLsn: '0/1', dataDirectory: '/pg' },
    ...(isServing === undefined ? { oldDataDirectory: '/old' } : { connection: 'postgresql://beside' }),
  };
  const kinds = [
    { redisRestored: redis },
    { restore: database },
    ...(isServing === undefined ? [{ filesRestored: files }] : []),
  ];
  return kinds.map((kind) => renderRun({ state: 'completed', run, ...kind, ...result } as unknown as Result, 'UTC'));
}

test('a restore in place tells what is next, until another run has ended it: then when, and which', () => {
  for (const lines of restored({})) {
    assert.match(lines.join('\n'), /kept in .*\nnext: 'holdfast confirm restore-3f9a1c2b'.*'holdfast rollback/);
  }
  const at = '2026-11-24T08:00:00.000Z';
  const back = restored({ endedBy: { run: 'rollback-0a1b2c3d', operation: 'rollbackRestore', at } });
  for (const lines of back) {
    assert.equal(
      lines.at(-1),
      '  rolled back 2026-11-24T08:00:00Z by rollback-0a1b2c3d: what was there before is back',
    );
    assert.doesNotMatch(lines.join('\n'), /next:|kept in/);
  }
  const accepted = restored({ endedBy: { run: 'confirm-0a1b2c3d', operation: 'confirmRestore', at } });
  for (const lines of accepted) {
    assert.match(lines.at(-1) ?? '', /confirmed 2026-11-24T08:00:00Z by confirm-0a1b2c3d: .* was removed/);
    assert.doesNotMatch(lines.join('\n'), /next:|kept in/);
  }
});

test('one beside tells how to reach its server and how to stop it, until it is known not to run', () => {
  for (const lines of restored({ isServing: true }))
    assert.match(lines.join('\n'), /:\/\/beside\nnext: 'holdfast stop restore-3f9a1c2b'/);
  for (const lines of restored({ isServing: false })) {
    assert.equal(lines.at(-1), '  the server that it left does not run any more');
    assert.doesNotMatch(lines.join('\n'), /next:|beside/);
  }
});
