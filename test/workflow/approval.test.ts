// An approval counts for the plan that was shown, while it waits, once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import type { RunStatus } from '../../src/domain/operations.ts';
import { waitFor } from '../support/wait-for.ts';
import { dataOf, failureOf } from './support/closing.ts';
import { failure, type Script, script } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();

async function startWaiting(t: { after(fn: () => Promise<void>): void }, scripted: Script, withinSeconds = 3600) {
  const estate = await startEstate(shared, scripted.activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restoreDatabase', `${estate.name}/restore/database/main`, {
    estate: estate.name,
    component: 'database/main',
    host: 'db1',
    to: 'latest',
    approval: 'always',
    approveWithinSeconds: withinSeconds,
  });
  if (withinSeconds > 60) {
    await waitFor('the run to wait', async () => (await estate.status(handle)).state === 'waiting');
  }
  return { estate, handle };
}

const update = (handle: WorkflowHandle, name: string, planDigest: string, by = 'ann@ops') =>
  handle.executeUpdate<RunStatus, [object]>(name, { args: [{ planDigest, by }] });

const rejection = (type: string) => (error: WorkflowUpdateFailedError) =>
  (error.cause as { type?: string } | undefined)?.type === type;

test('an approval of another plan is rejected, that of the shown plan lets the run go on, and is recorded as a claim', async (t) => {
  const scripted = script();
  const { estate, handle } = await startWaiting(t, scripted);
  assert.match((await estate.status(handle)).message, /^waits for `holdfast approve restore-[0-9a-f]{8}` until /);
  await assert.rejects(update(handle, 'approve', 'digest-0'), rejection('PLAN_CHANGED'));
  await assert.rejects(update(handle, 'approve', 'digest-1', ''), rejection('USAGE'));
  assert.equal(scripted.calls.includes('prepareRestore'), false);
  const answer = await update(handle, 'approve', 'digest-1');
  assert.deepEqual([answer.state, answer.message], ['running', "approved by 'ann@ops'"]);
  const status = (await handle.result()) as RunStatus;
  assert.equal(status.state, 'completed');
  const { approved, by } = dataOf<{ approved: boolean; by: string }>(status, 'approval');
  assert.deepEqual([approved, by], [true, 'ann@ops']);
  const order = scripted.calls.filter((name) => ['planRestore', 'recheckPlan', 'prepareRestore'].includes(name));
  assert.deepEqual(order, ['planRestore', 'recheckPlan', 'prepareRestore']);
});

test('a denied plan is refused and nothing is touched', async (t) => {
  const scripted = script();
  const { handle } = await startWaiting(t, scripted);
  await update(handle, 'deny', 'digest-1');
  const { type, status } = await failureOf(handle);
  assert.deepEqual(
    [type, status.state, status.message],
    ['APPROVAL_REQUIRED', 'refused', "the plan was denied by 'ann@ops'"],
  );
  assert.equal(scripted.calls.includes('prepareRestore'), false);
});

test('a plan that nobody approves in time is refused', async (t) => {
  const scripted = script();
  const { handle } = await startWaiting(t, scripted, 1);
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['APPROVAL_REQUIRED', 'refused']);
  assert.match(status.message, /^nobody approved the plan until /);
});

test('a plan that no longer holds after the wait is refused', async (t) => {
  const scripted = script({
    recheckPlan: () => {
      throw failure('PLAN_CHANGED', 'the server was promoted meanwhile');
    },
  });
  const { handle } = await startWaiting(t, scripted);
  await update(handle, 'approve', 'digest-1');
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['PLAN_CHANGED', 'refused']);
  assert.equal(scripted.calls.includes('prepareRestore'), false);
});

test('a run that waits can be cancelled', async (t) => {
  const { handle } = await startWaiting(t, script());
  await handle.cancel();
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['CANCELLED', 'failed']);
});

test('an approval is rejected while no plan waits', async (t) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const scripted = script({ fetchBaseBackup: () => held.then(() => ({})) });
  const estate = await startEstate(shared, scripted.activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restoreDatabase', `${estate.name}/restore/database/main`, {
    estate: estate.name,
    component: 'database/main',
    host: 'db1',
    to: 'latest',
    approval: 'never',
    approveWithinSeconds: 60,
  });
  await waitFor('the fetch to begin', () => scripted.calls.includes('fetchBaseBackup'));
  await assert.rejects(update(handle, 'approve', 'digest-1'), rejection('JOURNAL_STATE'));
  release();
  assert.equal(((await handle.result()) as RunStatus).state, 'completed');
});
