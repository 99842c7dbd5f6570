// What of the snapshots of a component counts as late: each line of `backup:` by the snapshots, or points, that keep it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatabaseSettings } from '../../../config/index.ts';
import type { ComponentFacts } from '../../../src/host/component-status.ts';
import { snapshotFindings } from '../../../src/host/snapshot-findings.ts';

const now = new Date('2026-11-25T14:30:00Z');

function snapshot(name: string, hour: string, state = 'clean') {
  return {
    id: `20261125T${hour}`,
    kind: 'physical',
    class: name,
    state,
    engine: {},
    from: `2026-11-25T${hour}:00.000000Z`,
  };
}

function point(hour: string, state = 'completed') {
  return { state, data: { point: { at: `2026-11-25T${hour}:00.000000Z` } } };
}

function findingsOf(backup: DatabaseSettings['backup'], snapshots: readonly object[], history: readonly object[] = []) {
  const facts = {
    configuration: { timezone: 'UTC' },
    settings: { id: 'database/main', kind: 'database', backup },
    snapshots,
    history,
    now,
  };
  return snapshotFindings(facts as unknown as ComponentFacts).map(({ message }) => message);
}

const both = { full: 'daily 02:00', incremental: 'every 6h' };
const full = snapshot('full', '02:00');

test('an incremental backup keeps its own line, not that of full ones', () => {
  assert.deepEqual(findingsOf(both, [snapshot('incremental', '12:00'), full]), []);
  const old = { ...full, from: '2026-11-24T02:00:00.000000Z' };
  assert.deepEqual(findingsOf(both, [snapshot('incremental', '12:00'), old]), [
    "the backup of 'daily 02:00' that was due at 2026-11-25T02:00:00Z has not finished",
  ]);
});

test('an incremental backup that did not come is late, and a full one that came since will do', () => {
  assert.deepEqual(findingsOf(both, [full]), [
    "the incremental backup of 'every 6h' that was due at 2026-11-25T12:00:00Z has not finished",
  ]);
  assert.deepEqual(findingsOf(both, [snapshot('full', '13:00'), full]), []);
});

test('a point keeps the line of incremental backups when its run ended well, and never that of full ones', () => {
  assert.deepEqual(findingsOf(both, [full], [point('12:01')]), []);
  assert.equal(findingsOf(both, [full], [point('12:01', 'failed')]).length, 1);
  assert.equal(findingsOf(both, [full], [point('06:01')]).length, 1);
  assert.equal(findingsOf({ full: 'every 6h' }, [full], [point('12:01')]).length, 1);
});

test('no base backup at all is said once, and one with damaged pages always', () => {
  assert.deepEqual(findingsOf(both, []), ['there is no snapshot yet']);
  const [first] = findingsOf(both, [snapshot('incremental', '12:00', 'damaged'), full]);
  assert.equal(first, 'the newest snapshot 20261125T12:00 has damaged pages');
});
