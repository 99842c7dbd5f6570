// How a dump is loaded: what is in the way refuses it before anything is fetched, and a failure is undone, newest first.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunStatus } from '../../src/domain/operations.ts';
import { failureOf } from './support/closing.ts';
import { failure, script } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();
const request = (estate: string) => ({ estate, component: 'database/main', host: 'db1', snapshot: 'latest' });
const plan = { digest: 'digest-1', what: 'database bank', into: 'bank', roles: ['clerk'] };

test('a dump is planned, fetched, loaded and tidied up after; roles are made only where the plan has some', async (t) => {
  const { calls, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('loadDump', `${estate.name}/load/database/main`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.match(status.run, /^load-[0-9a-f]{8}$/);
  assert.deepEqual(calls, ['resolveOperation', 'planLoad', 'fetchDump', 'loadDump', 'removeFetched', 'putRunRecord']);
  assert.equal(status.steps.find(({ name }) => name === 'roles')?.state, 'skipped');
});

test('a load that fails drops what it made, newest first, and is rolled back', async (t) => {
  const { calls, activities } = script({
    planLoad: () => plan,
    loadDump: () => {
      throw failure('RECOVERY_MISMATCH', 'ledger.entries has 3 rows, the dump 4');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('loadDump', `${estate.name}/load/database/main`, request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['ROLLED_BACK', 'rolled back']);
  assert.deepEqual(calls.slice(calls.indexOf('loadDump')), [
    ...['loadDump', 'undoLoad', 'undoRoles', 'removeFetched', 'putRunRecord'],
  ]);
});

test('what is in the way refuses the load before anything is fetched', async (t) => {
  const blocker = { code: 'TARGET_UNFIT', message: "database 'bank' is there already", hint: '--into NAME' };
  const { calls, activities } = script({ planLoad: () => ({ ...plan, blockers: [blocker] }) });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('loadDump', `${estate.name}/load/database/main`, request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state, status.error?.hint], ['TARGET_UNFIT', 'refused', '--into NAME']);
  assert.ok(!calls.includes('fetchDump'));
});

test('a plan that is no longer the one that was shown is refused', async (t) => {
  const { calls, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const seen = { ...request(estate.name), planDigest: 'digest-0' };
  const handle = await estate.start('loadDump', `${estate.name}/load/database/main`, seen);
  const { type } = await failureOf(handle);
  assert.equal(type, 'PLAN_CHANGED');
  assert.ok(!calls.includes('fetchDump'));
});
