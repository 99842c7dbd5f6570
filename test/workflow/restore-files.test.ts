// How giving back files goes forward and back; a snapshot of files that cannot be read again is no backup.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages, type RunStatus } from '../../src/domain/operations.ts';
import { waitFor } from '../support/wait-for.ts';
import { causeCode, failureOf } from './support/closing.ts';
import { failure, filesPlan, script } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();

const request = (estate: string, more: object = {}) => ({
  ...{ estate, component: 'files/uploads', host: 'db1', to: 'latest' },
  ...{ approval: 'never', approveWithinSeconds: 3600, ...more },
});

test('the plan comes first, then the exchange, then a look at all of it', async (t) => {
  const { calls, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restoreFiles', `${estate.name}/restore/files/uploads`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.equal(status.state, 'completed');
  assert.deepEqual(calls, ['resolveOperation', 'planFiles', 'restoreFiles', 'compareFiles', 'putRunRecord']);
  assert.match(status.message, /kept until `holdfast confirm restore-/);
});

test('planning a tree has hours, also when it is done again after the approval', async (t) => {
  const { activities } = script({ recheckFiles: () => undefined });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const input = request(estate.name, { approval: 'always' });
  const handle = await estate.start('restoreFiles', `${estate.name}/restore/files/uploads`, input);
  await waitFor('the plan to wait', async () => (await estate.status(handle)).state === 'waiting');
  await handle.executeUpdate(messages.approve, { args: [{ planDigest: filesPlan.digest, by: 'test' }] });
  assert.equal(((await handle.result()) as RunStatus).state, 'completed');
  const { events } = await handle.fetchHistory();
  const scheduled = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: each }) => each ?? []);
  const hoursOf = (name: string) => {
    const limit = scheduled.find(({ activityType }) => activityType?.name === name)?.startToCloseTimeout;
    return Number(limit?.seconds) / 3600;
  };
  assert.deepEqual([hoursOf('planFiles'), hoursOf('recheckFiles'), hoursOf('resolveOperation')], [12, 12, 0.5]);
});

test('a difference that is found afterwards undoes it', async (t) => {
  const { calls, requests, activities } = script({
    planFiles: ({ run }: { run: string }) => ({
      ...filesPlan,
      run,
      component: 'files/uploads',
      directory: '/srv/look',
    }),
    compareFiles: () => {
      throw failure('RECOVERY_MISMATCH', '1 entries are not what the snapshot has');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restoreFiles', `${estate.name}/restore/files/uploads`, request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.equal(type, 'ROLLED_BACK');
  assert.equal(causeCode(status), 'RECOVERY_MISMATCH');
  assert.deepEqual(calls.slice(-2), ['undoFiles', 'putRunRecord']);
  const [undone] = (requests.undoFiles ?? []) as { directory?: string }[];
  assert.equal(undone?.directory, '/srv/look');
});

test('what is in the way, and a plan that is not the one that was shown, refuse it before anything is touched', async (t) => {
  const blocker = { code: 'NO_SPACE', message: 'too little room', hint: 'make room' };
  const { calls, activities } = script({ planFiles: () => ({ ...filesPlan, blockers: [blocker] }) });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const id = `${estate.name}/restore/files/uploads`;
  const blocked = await failureOf(await estate.start('restoreFiles', id, request(estate.name)));
  assert.deepEqual([blocked.type, blocked.status.state], ['NO_SPACE', 'refused']);
  const other = await failureOf(await estate.start('restoreFiles', id, request(estate.name, { planDigest: 'other' })));
  assert.deepEqual([other.type, other.status.state], ['PLAN_CHANGED', 'refused']);
  assert.ok(!calls.includes('restoreFiles') && !calls.includes('undoFiles'));
});

test('a snapshot of files that no copy gives again fails the backup', async (t) => {
  const { activities } = script({
    verifySnapshot: () => ({ level: 'listed', copies: { local: 'damaged', eu: 'good' } }),
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('backupFiles', `${estate.name}/backup/files/uploads`, request(estate.name));
  assert.equal((await failureOf(handle)).type, 'OBJECT_DAMAGED');
});
