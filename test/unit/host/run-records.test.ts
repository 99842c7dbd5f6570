// What is read of the records of runs: the newest of all, every restore, and what cannot be read by name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../../src/errors/index.ts';
import { readHistory, readRunRecords, recordsOf } from '../../../src/host/run-records.ts';

const FIRST_MS = Date.parse('2026-01-01T00:00:00Z');
const HOUR_MS = 3_600_000;

/** A vault by its runs, oldest first, one an hour; `damaged` ones cannot be read. */
function vaultOf(runs: readonly string[], damaged: readonly string[] = []) {
  const at = (run: string) => new Date(FIRST_MS + runs.indexOf(run) * HOUR_MS);
  return {
    listRecords: async () =>
      runs.flatMap((run) => ['plan', 'result'].map((name) => ({ run, name, storedAt: at(run) }))),
    getRecord: async (run: string, name: string) => {
      assert.equal(name, 'result');
      if (damaged.includes(run)) throw new HoldfastError('OBJECT_DAMAGED', `${run} is damaged`);
      return { run, component: run.endsWith('b') ? 'database/b' : 'database/a', startedAt: at(run).toISOString() };
    },
  };
}

const backups = Array.from({ length: 300 }, (_, hour) => `backup-${hour}`);
const old = ['restore-1', 'rollback-1', 'confirm-1b'];

test('restores and what ended them are read however many backups came after', async () => {
  const { runs, unread } = await readRunRecords(vaultOf([...old, ...backups]));
  assert.deepEqual(unread, []);
  assert.deepEqual(
    runs.slice(-4).map(({ run }) => run),
    ['backup-100', 'confirm-1b', 'rollback-1', 'restore-1'],
  );
  assert.equal(runs.length, 203);
  assert.equal((await readHistory(vaultOf([...old, ...backups]))).length, 200);
});

test('mirrors, however many there are, push nothing else out', async () => {
  const mirrors = Array.from({ length: 500 }, (_, minute) => `mirror-${minute}`);
  const history = await readHistory(vaultOf([...backups, ...mirrors]));
  const count = (prefix: string) => history.filter(({ run }) => run.startsWith(prefix)).length;
  assert.deepEqual([count('backup-'), count('mirror-'), history[0]?.run], [200, 20, 'mirror-499']);
  assert.equal((await readRunRecords(vaultOf([...old, ...backups, ...mirrors]))).runs.length, 223);
});

test('parts without a result are told with where they recover to, and one that cannot be read is not known', async () => {
  const plans: Record<string, object> = { 'part-1': { recovery: { dataDirectory: '/srv/clone' } } };
  const at = new Date(FIRST_MS);
  const names = [
    ...['part-1', 'part-2', 'part-3'].map((run) => ({ run, name: 'part', storedAt: at })),
    { run: 'part-2', name: 'result', storedAt: at },
  ];
  const { runs, parts, unread } = await readRunRecords({
    listRecords: async () => names,
    getRecord: async (run: string, name: string) => {
      if (run === 'part-3') throw new HoldfastError('OBJECT_DAMAGED', `${run} is damaged`);
      return { run, component: 'database/a', startedAt: '2026-01-01', ...(name === 'part' ? plans[run] : {}) };
    },
  });
  assert.deepEqual(
    runs.map(({ run }) => run),
    ['part-2'],
  );
  assert.deepEqual(parts, [{ run: 'part-1', component: 'database/a', dataDirectory: '/srv/clone' }]);
  assert.deepEqual(
    unread.map(({ record }) => record?.run),
    ['part-3'],
  );
  assert.deepEqual(recordsOf({ runs, parts, unread }, 'database/b').parts, []);
});

test('a damaged record hides no other, and one of a restore is named', async () => {
  const vault = vaultOf([...old, 'backup-1', 'backup-2'], ['rollback-1', 'backup-1']);
  const { runs, parts, unread } = await readRunRecords(vault);
  assert.deepEqual(
    runs.map(({ run }) => run),
    ['backup-2', 'confirm-1b', 'restore-1'],
  );
  assert.deepEqual(
    unread.map(({ record, error }) => [record?.run, error.code]),
    [['rollback-1', 'OBJECT_DAMAGED']],
  );
  await assert.rejects(readHistory(vault), { code: 'OBJECT_DAMAGED' });
  const ofB = recordsOf({ runs, parts, unread }, 'database/b');
  assert.deepEqual(
    ofB.runs.map(({ run }) => run),
    ['confirm-1b'],
  );
  assert.equal(ofB.unread.length, 1, 'whose it is cannot be known');
});

test('records that cannot be listed are not known, which is not none', async () => {
  const away = async () => {
    throw new HoldfastError('POLICY_UNMET', 'no copy answers');
  };
  const { runs, unread } = await readRunRecords({ listRecords: away, getRecord: away });
  assert.deepEqual(runs, []);
  assert.deepEqual(
    unread.map(({ record, error }) => [record, error.code]),
    [[undefined, 'POLICY_UNMET']],
  );
  await assert.rejects(readHistory({ listRecords: away, getRecord: away }), { code: 'POLICY_UNMET' });
});
