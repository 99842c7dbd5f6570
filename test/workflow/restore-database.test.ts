// How a restore goes forward, back, and stops in between.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunStatus } from '../../src/domain/operations.ts';
import { waitFor } from '../support/wait-for.ts';
import { causeCode, failureOf } from './support/closing.ts';
import { failure, script, untilCancelled } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();

const request = (estate: string, more: object = {}) => ({
  estate,
  component: 'database/main',
  host: 'db1',
  to: '2026-11-23T05:59:59Z',
  approval: 'never',
  approveWithinSeconds: 3600,
  ...more,
});

const building = [
  'resolveOperation',
  'planRestore',
  'prepareRestore',
  'fetchBaseBackup',
  'replayLog',
  'proveRecovery',
  'promoteRecovered',
  'checkRecovered',
];

const states = (status: RunStatus) => Object.fromEntries(status.steps.map((step) => [step.name, step.state]));

test('a restore in place runs the steps of the runbook in order, then starts a new full backup by itself', async (t) => {
  const { calls, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restoreDatabase', `${estate.name}/restore/database/main`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.equal(status.state, 'completed');
  assert.deepEqual(calls.filter((name) => [...building, 'swapIn', 'resumeProduction'].includes(name)).slice(0, 10), [
    ...building,
    'swapIn',
    'resumeProduction',
  ]);
  const { restore } = status.data as { restore: { id: string; checks: object[]; timingsMs: Record<string, number> } };
  assert.equal(restore.id, status.run);
  assert.deepEqual(restore.checks, [{ name: 'database main', ok: true, value: '3 tables read' }]);
  assert.match(status.run, /^restore-[0-9a-f]{8}$/);
  const { total, ...timings } = restore.timingsMs;
  assert.deepEqual(timings, { fetch: 1, replay: 2, promote: 3, checks: 4, swap: 5 });
  assert.ok((total ?? 0) > 0);
  const backup = shared.env.client.workflow.getHandle(`${estate.name}/backup/database/main`);
  const backedUp = (await backup.result()) as RunStatus;
  assert.equal(backedUp.state, 'completed');
  assert.equal(backedUp.data?.reason, `after ${status.run}`);
});

test('a restore beside neither swaps nor asks, and starts no backup', async (t) => {
  const { calls, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const input = request(estate.name, { approval: 'always', beside: { directory: '/d', start: true } });
  const handle = await estate.start('restoreDatabase', `${estate.name}/restore/database/main`, input);
  const status = (await handle.result()) as RunStatus;
  assert.equal(status.state, 'completed');
  assert.deepEqual(calls, [...building, 'finishBeside', 'putRunRecord']);
});

test('a standby is proved and checked, never promoted, and its slot goes with an undo', async (t) => {
  const standby = { approval: 'always', to: 'latest', beside: { directory: '/d', start: true, standby: true } };
  const { calls, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const id = `${estate.name}/restore/database/main`;
  const status = (await (
    await estate.start('restoreDatabase', id, request(estate.name, standby))
  ).result()) as RunStatus;
  assert.equal(status.state, 'completed');
  assert.deepEqual(calls, [...building.filter((name) => name !== 'promoteRecovered'), 'finishBeside', 'putRunRecord']);
  assert.equal(states(status).promote, undefined);
  const failing = script({
    finishBeside: () => {
      throw failure('RECOVERY_FAILED', 'the standby does not follow');
    },
  });
  const other = await startEstate(shared, failing.activities);
  t.after(() => other.stop());
  const handle = await other.start(
    'restoreDatabase',
    `${other.name}/restore/database/main`,
    request(other.name, standby),
  );
  assert.equal((await failureOf(handle)).type, 'ROLLED_BACK');
  assert.deepEqual(failing.calls.slice(-3), ['stopRecovered', 'abandonRestore', 'putRunRecord']);
});

test('a failed step is undone newest first and the run ends rolled back, with the first error in its details', async (t) => {
  const { calls, activities } = script({
    swapIn: () => {
      throw failure('DATABASE_IDENTITY', 'another cluster is in the directory');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restoreDatabase', `${estate.name}/restore/database/main`, request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.equal(type, 'ROLLED_BACK');
  assert.equal(status.state, 'rolled back');
  assert.deepEqual(calls.slice(-4), ['undoSwap', 'stopRecovered', 'abandonRestore', 'putRunRecord']);
  const { swap, recover, prepare } = states(status);
  assert.deepEqual([swap, recover, prepare], ['undone', 'undone', 'undone']);
  assert.equal(causeCode(status), 'DATABASE_IDENTITY');
});

test('an undo that fails leaves the older ones alone, and the run is stuck and says what is left', async (t) => {
  const { calls, activities } = script({
    swapIn: () => {
      throw failure('PROCESS_FAILED', 'the service did not stop');
    },
    undoSwap: () => {
      throw failure('JOURNAL_STATE', 'neither name exists');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restoreDatabase', `${estate.name}/restore/database/main`, request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.equal(type, 'STUCK');
  assert.equal(status.state, 'stuck');
  assert.match(
    status.message,
    /could not undo 'swap' \(neither name exists\); not tried after that: 'recover', 'prepare'/,
  );
  assert.equal(calls.includes('abandonRestore'), false);
  assert.equal(states(status).swap, 'undo failed');
});

test('a plan that is refused touches nothing and ends refused', async (t) => {
  const { calls, activities } = script({
    planRestore: () => {
      throw failure('TARGET_OUTSIDE', 'the target is in the future');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restoreDatabase', `${estate.name}/restore/database/main`, request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['TARGET_OUTSIDE', 'refused']);
  assert.deepEqual(calls, ['resolveOperation', 'planRestore', 'putRunRecord']);
});

test('a plan other than the one that was shown is refused', async (t) => {
  const { calls, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const input = request(estate.name, { planDigest: 'digest-0' });
  const handle = await estate.start('restoreDatabase', `${estate.name}/restore/database/main`, input);
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['PLAN_CHANGED', 'refused']);
  assert.equal(calls.includes('prepareRestore'), false);
});

test('cancelling waits for the running step to end before anything is undone', async (t) => {
  const order: string[] = [];
  const { activities } = script({
    replayLog: () => untilCancelled({ begun: () => order.push('begun'), ended: () => order.push('ended') }),
    stopRecovered: () => {
      order.push('stopped');
    },
    abandonRestore: () => {
      order.push('abandoned');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restoreDatabase', `${estate.name}/restore/database/main`, request(estate.name));
  await waitFor('the replay to begin', () => order.includes('begun'));
  await handle.cancel();
  const { type, status } = await failureOf(handle);
  assert.deepEqual(order, ['begun', 'ended', 'stopped', 'abandoned']);
  assert.equal(type, 'ROLLED_BACK');
  assert.equal(causeCode(status), 'CANCELLED');
});
