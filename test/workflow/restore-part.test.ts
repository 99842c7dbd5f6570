// How one table or database of a moment comes back: in order, with approval where rows are replaced, undone newest first, the throwaway server always removed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages, type RunStatus } from '../../src/domain/operations.ts';
import { waitFor } from '../support/wait-for.ts';
import { failureOf } from './support/closing.ts';
import { failure, partPlan, script } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();
const table = { schema: 'ledger', table: 'entries' };
const request = (estate: string, more: object = { as: { schema: 'ledger', table: 'entries_then' } }) => ({
  ...{ estate, component: 'database/main', host: 'db1', to: 'latest', database: 'bank', table },
  ...{ approval: 'never', approveWithinSeconds: 600 },
  ...more,
});
const idOf = (estate: string) => `${estate}/restore/part/database/main`;
const built = [
  ...['resolveOperation', 'planPart', 'preparePart', 'fetchBaseBackup', 'replayLog'],
  ...['proveRecovery', 'promoteRecovered', 'checkRecovered', 'extractPart'],
];

test('a table is recovered beside, taken out, loaded, named, and the throwaway server removed', async (t) => {
  const { calls, requests, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restorePart', idOf(estate.name), request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.match(status.run, /^part-[0-9a-f]{8}$/);
  assert.deepEqual(calls, [...built, 'loadPart', 'placePart', 'abandonRestore', 'putRunRecord']);
  assert.deepEqual(
    status.steps.map(({ name, state }) => [name, state]).filter(([, state]) => state !== 'done'),
    [],
  );
  assert.equal(status.steps.at(-2)?.name, 'name');
  const [placed] = requests.placePart as [{ database: string; planDigest: string; production: object }];
  assert.deepEqual([placed.database, placed.planDigest, placed.production], ['bank', 'digest-1', partPlan.production]);
  assert.match(
    status.message,
    /^table ledger\.entries of database 'bank' as of .* is there as ledger\.entries_then: 3 rows$/,
  );
});

test('what ended runs have left and cannot be removed is told with the result', async (t) => {
  const words = "what run 'part-00000001' left in '/srv' stays: it cannot be read";
  const { activities } = script({ preparePart: () => [words] });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restorePart', idOf(estate.name), request(estate.name));
  const { data } = (await handle.result()) as RunStatus;
  assert.deepEqual(data?.warnings, [words]);
  assert.deepEqual((data?.part as { warnings: string[] } | undefined)?.warnings, [words]);
});

test('a load that fails drops what has no name, then ends and removes the throwaway server, and is rolled back', async (t) => {
  const { calls, activities } = script({
    loadPart: () => {
      throw failure('RECOVERY_MISMATCH', '2 rows arrived, 3 were taken');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restorePart', idOf(estate.name), request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['ROLLED_BACK', 'rolled back']);
  assert.deepEqual(calls.slice(calls.indexOf('loadPart')), [
    ...['loadPart', 'undoPart', 'stopRecovered', 'abandonRestore', 'putRunRecord'],
  ]);
});

test('a cancellation that comes too late for the commit changes nothing: the run completes, and the throwaway server goes', async (t) => {
  const begun = Promise.withResolvers<void>();
  const committed = Promise.withResolvers<void>();
  const placePart = async () => {
    begun.resolve();
    await committed.promise;
    return { rows: 3, sum: '1/2', tables: 1 };
  };
  const { calls, activities } = script({ placePart });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restorePart', idOf(estate.name), request(estate.name));
  await begun.promise;
  await handle.cancel();
  await waitFor('the run to know of it', async () => {
    const { events } = await handle.fetchHistory();
    return events?.some((event) => event.activityTaskCancelRequestedEventAttributes != null);
  });
  committed.resolve();
  const status = (await handle.result()) as RunStatus;
  assert.equal(status.state, 'completed');
  assert.deepEqual(calls.slice(calls.indexOf('placePart')), ['placePart', 'abandonRestore', 'putRunRecord']);
});

test('an undo that finds the rows replaced already ends stuck with what is there, and removes the throwaway server', async (t) => {
  const { calls, activities } = script({
    placePart: () => {
      throw failure('RECOVERY_MISMATCH', 'an answer that was lost');
    },
    undoPart: () => {
      throw failure('JOURNAL_STATE', "the rows of 'ledger.entries' were replaced already");
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restorePart', idOf(estate.name), request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['STUCK', 'stuck']);
  assert.match(status.message, /were replaced already/);
  assert.deepEqual(calls.slice(calls.indexOf('undoPart')), [
    'undoPart',
    'stopRecovered',
    'abandonRestore',
    'putRunRecord',
  ]);
});

test('what is in the way refuses it before anything is recovered', async (t) => {
  const blocker = { code: 'TARGET_UNFIT', message: "'ledger.entries_then' is there already", hint: '--as NAME' };
  const { calls, activities } = script({ planPart: () => ({ ...partPlan, blockers: [blocker] }) });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('restorePart', idOf(estate.name), request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state, status.error?.hint], ['TARGET_UNFIT', 'refused', '--as NAME']);
  assert.ok(!calls.includes('preparePart'));
});

test('rows are replaced only after the plan that waits was approved, and it is looked at again then', async (t) => {
  const { calls, activities } = script({ planPart: () => ({ ...partPlan, way: 'replace', into: 'ledger.entries' }) });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const input = request(estate.name, { replace: true, approval: 'always' });
  const handle = await estate.start('restorePart', idOf(estate.name), input);
  await waitFor('the plan to wait', async () => (await estate.status(handle)).state === 'waiting');
  assert.ok(!calls.includes('preparePart'));
  await assert.rejects(
    handle.executeUpdate(messages.approve, { args: [{ planDigest: 'digest-1', by: 'test' }] }),
    'the digest of the recovery alone is not that of the plan',
  );
  await handle.executeUpdate(messages.approve, { args: [{ planDigest: 'part-1', by: 'test' }] });
  const status = (await handle.result()) as RunStatus;
  assert.equal(status.state, 'completed');
  assert.deepEqual(calls.slice(0, 4), ['resolveOperation', 'planPart', 'recheckPart', 'preparePart']);
  assert.deepEqual(status.steps.map(({ name }) => name).slice(0, 3), ['plan', 'approve', 'prepare']);
  assert.equal(status.steps.at(-2)?.name, 'replace');
});
