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
