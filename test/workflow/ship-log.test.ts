// What the owner of the log does when the slot is lost or a copy is away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkflowFailedError } from '@temporalio/client';
import type { RunStatus } from '../../src/domain/operations.ts';
import { waitFor } from '../support/wait-for.ts';
import { dataOf } from './support/closing.ts';
import { failure, script, untilCancelled } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();
const request = (estate: string) => ({ estate, component: 'database/main', host: 'db1' });
const positions = { phase: 'streaming', copies: [] };
const awaitBackup = ({ workflowId }: { workflowId: string }) =>
  shared.env.client.workflow
    .getHandle(workflowId)
    .result()
    .catch((error: WorkflowFailedError) => Promise.reject(error.cause));

test('a lost slot raises an alarm that is written down, and a new full backup that began after it ends the alarm', async (t) => {
  let supervisions = 0;
  const hole = { from: '0/3000000', to: '0/5000000' };
  const { requests, activities } = script({
    awaitRun: awaitBackup,
    superviseLog: () => {
      supervisions += 1;
      if (supervisions === 1) return { outcome: 'slot lost', positions, away: [], hole };
      return untilCancelled({});
    },
  });
  const estate = await startEstate(shared, activities);
  const handle = await estate.start('shipLog', `${estate.name}/ship/database/main`, request(estate.name));
  t.after(() => handle.terminate().finally(() => estate.stop()));
  await waitFor('the second supervision', () => supervisions === 2);
  const [record] = requests.putRunRecord as [{ name: string; data: { code: string; message: string } }];
  assert.match(record.name, /^alarm-\d{8}T\d{9}Z$/);
  assert.equal(record.data.code, 'SLOT_LOST');
  assert.match(record.data.message, /log from 0\/3000000 to 0\/5000000 is missing$/);
  const backup = await shared.env.client.workflow.getHandle(`${estate.name}/backup/database/main`).result();
  assert.equal((backup as RunStatus).data?.reason, 'slot lost');
  assert.equal((await estate.status(handle)).data?.alarm, undefined);
});

test('the alarm stands while the backup after a lost slot fails, and the backup is tried again', async (t) => {
  let supervisions = 0;
  const soon: boolean[] = [];
  const { calls, activities } = script({
    awaitRun: awaitBackup,
    identifyDatabase: () => {
      throw failure('DATABASE_AUTH', 'the database refused our password');
    },
    superviseLog: (given: { soon: boolean }) => {
      supervisions += 1;
      soon.push(given.soon);
      if (supervisions === 1) return { outcome: 'slot lost', positions, away: [] };
      if (supervisions === 2) return { outcome: 'due', positions, away: [] };
      return untilCancelled({});
    },
  });
  const estate = await startEstate(shared, activities);
  const handle = await estate.start('shipLog', `${estate.name}/ship/database/main`, request(estate.name));
  t.after(() => handle.terminate().finally(() => estate.stop()));
  await waitFor('the third supervision', () => supervisions === 3);
  assert.equal(calls.filter((name) => name === 'identifyDatabase').length, 2);
  assert.deepEqual(soon, [false, true, true]);
  const status = await estate.status(handle);
  assert.equal(status.state, 'running');
  assert.equal(dataOf<{ code: string }>(status, 'alarm').code, 'SLOT_LOST');
  const { typedSearchAttributes } = await handle.describe();
  assert.ok(JSON.stringify(typedSearchAttributes).includes('alarm'));
});

test('a copy that goes away gets one catch-up, and supervision goes on knowing about it', async (t) => {
  const given: string[][] = [];
  const { requests, activities } = script({
    superviseLog: ({ ignoreAway }: { ignoreAway: string[] }) => {
      given.push(ignoreAway);
      if (given.length === 1) return { outcome: 'copy away', positions, away: ['us'] };
      return untilCancelled({});
    },
  });
  const estate = await startEstate(shared, activities);
  const handle = await estate.start('shipLog', `${estate.name}/ship/database/main`, request(estate.name));
  t.after(() => handle.terminate().finally(() => estate.stop()));
  await waitFor('the second supervision', () => given.length === 2);
  assert.deepEqual(given, [[], ['us']]);
  await waitFor('the catch-up', () => requests.catchUpCopy?.length === 1);
});

test('a long history continues as new, under the same run id and with its alarm', async (t) => {
  let supervisions = 0;
  const { activities } = script({
    awaitRun: () => {
      throw failure('DATABASE_AUTH', 'the database refused our password');
    },
    superviseLog: () => {
      supervisions += 1;
      return { outcome: supervisions === 1 ? 'slot lost' : 'due', positions, away: [] };
    },
  });
  const estate = await startEstate(shared, activities);
  const handle = await estate.start('shipLog', `${estate.name}/ship/database/main`, request(estate.name));
  const latest = shared.env.client.workflow.getHandle(handle.workflowId);
  t.after(() => latest.terminate().finally(() => estate.stop()));
  const first = await estate.status(handle);
  const started = (await latest.describe()).runId;
  await waitFor('a new run', async () => (await latest.describe()).runId !== started, { limitMs: 120_000 });
  const second = (await waitFor('its status', () => estate.status(latest).catch(() => undefined))) as RunStatus;
  assert.equal(second.run, first.run);
  await waitFor('the alarm', async () => (await estate.status(latest)).data?.alarm !== undefined);
});

const outage = {
  code: 'DATABASE_AUTH',
  message: 'the database refused our password',
  hint: 'check the url of the database',
  since: '2026-11-23T06:00:00.000Z',
};

/** Opened by the test. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

test('log that is not received is an alarm with its reason and hint, written down, until it is received again', async (t) => {
  const given: { knownOutage?: unknown }[] = [];
  const hold = gate();
  const { requests, activities } = script({
    superviseLog: async (request: { knownOutage?: unknown }) => {
      given.push(request);
      if (given.length === 1) return { outcome: 'not received', positions: { ...positions, outage }, away: [] };
      if (given.length === 2) await hold.opened;
      if (given.length === 2) return { outcome: 'received again', positions, away: [] };
      return untilCancelled({});
    },
  });
  const estate = await startEstate(shared, activities);
  const handle = await estate.start('shipLog', `${estate.name}/ship/database/main`, request(estate.name));
  t.after(() => handle.terminate().finally(() => estate.stop()));
  await waitFor('the second supervision', () => given.length === 2);
  assert.deepEqual(given[1]?.knownOutage, outage);
  const status = await estate.status(handle);
  const alarm = dataOf<{ code: string; message: string; hint: string }>(status, 'alarm');
  assert.equal(alarm.code, 'DATABASE_AUTH');
  assert.equal(alarm.message, `the log is not received since ${outage.since}: ${outage.message}`);
  assert.equal(alarm.hint, outage.hint);
  assert.match(status.message, /the log is not received since 2026-11-23T06:00:00\.000Z: the database refused/);
  const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
  assert.ok(currentDetails.includes(outage.message) && currentDetails.includes(outage.hint), currentDetails);
  assert.ok(JSON.stringify((await handle.describe()).typedSearchAttributes).includes('alarm'));
  const [record] = requests.putRunRecord as [{ name: string; data: { code: string } }];
  assert.match(record.name, /^alarm-\d{8}T\d{9}Z$/);
  assert.equal(record.data.code, 'DATABASE_AUTH');
  hold.open();
  await waitFor('the third supervision', () => given.length === 3);
  assert.equal(given[2]?.knownOutage, undefined);
  assert.equal((await estate.status(handle)).data?.alarm, undefined);
});

test('a slot that fills the server is an alarm with the numbers, written down, until it has eased', async (t) => {
  const given: { knownPressure?: unknown }[] = [];
  const hold = gate();
  const slot = { slot: 'holdfast_acme_main', retainedBytes: 3e9, limitBytes: 4e9, lostInSeconds: 600 };
  const { requests, activities } = script({
    superviseLog: async (request: { knownPressure?: unknown }) => {
      given.push(request);
      if (given.length === 1) return { outcome: 'slot fills', positions: { ...positions, slot }, away: [] };
      if (given.length === 2) await hold.opened;
      if (given.length === 2) return { outcome: 'slot eased', positions, away: [] };
      return untilCancelled({});
    },
  });
  const estate = await startEstate(shared, activities);
  const handle = await estate.start('shipLog', `${estate.name}/ship/database/main`, request(estate.name));
  t.after(() => handle.terminate().finally(() => estate.stop()));
  await waitFor('the second supervision', () => given.length === 2);
  assert.equal(given[1]?.knownPressure, true);
  const alarm = dataOf<{ code: string; message: string }>(await estate.status(handle), 'alarm');
  assert.equal(alarm.code, 'SLOT_FILLS');
  assert.match(alarm.message, /at this rate it is lost in 10 min$/);
  const [record] = requests.putRunRecord as [{ data: { code: string } }];
  assert.equal(record.data.code, 'SLOT_FILLS');
  hold.open();
  await waitFor('the third supervision', () => given.length === 3);
  assert.equal(given[2]?.knownPressure, undefined);
  assert.equal((await estate.status(handle)).data?.alarm, undefined);
});

test('the backup after a lost slot waits until log is received again', async (t) => {
  const hold = gate();
  let supervisions = 0;
  const { calls, activities } = script({
    awaitRun: awaitBackup,
    superviseLog: async () => {
      supervisions += 1;
      if (supervisions === 1) return { outcome: 'not received', positions: { ...positions, outage }, away: [] };
      if (supervisions === 2) return { outcome: 'slot lost', positions, away: [], loss: 'one' };
      if (supervisions === 3) await hold.opened;
      if (supervisions === 3) return { outcome: 'received again', positions, away: [] };
      return untilCancelled({});
    },
  });
  const estate = await startEstate(shared, activities);
  const handle = await estate.start('shipLog', `${estate.name}/ship/database/main`, request(estate.name));
  t.after(() => handle.terminate().finally(() => estate.stop()));
  await waitFor('the third supervision', () => supervisions === 3);
  assert.equal(dataOf<{ code: string }>(await estate.status(handle), 'alarm').code, 'DATABASE_AUTH');
  assert.ok(!calls.includes('captureBaseBackup'));
  hold.open();
  await waitFor('the fourth supervision', () => supervisions === 4);
  assert.ok(calls.includes('captureBaseBackup'));
  assert.equal((await estate.status(handle)).data?.alarm, undefined);
});

test('a copy that still lags is asked for again, each time later', async (t) => {
  const given: { ignoreAway: string[]; ignoreForMs: number }[] = [];
  const { activities } = script({
    superviseLog: (request: { ignoreAway: string[]; ignoreForMs: number }) => {
      given.push(request);
      if (given.length <= 3) return { outcome: 'copy away', positions, away: ['us'] };
      if (given.length === 4) return { outcome: 'due', positions, away: [] };
      return untilCancelled({});
    },
  });
  const estate = await startEstate(shared, activities);
  const handle = await estate.start('shipLog', `${estate.name}/ship/database/main`, request(estate.name));
  t.after(() => handle.terminate().finally(() => estate.stop()));
  await waitFor('the fifth supervision', () => given.length === 5);
  const minutes = given.map(({ ignoreAway, ignoreForMs }) => [ignoreAway, ignoreForMs / 60_000]);
  assert.deepEqual(minutes, [
    [[], 5],
    [['us'], 5],
    [['us'], 10],
    [['us'], 20],
    [[], 5],
  ]);
});
