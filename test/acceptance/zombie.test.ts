// A worker stands still for longer than Temporal waits, wakes up in the middle of its step, and writes on beside its own retry elsewhere.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { estateSandbox } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const connection = await Connection.connect({ address: sandbox.temporal.address });
after(() => connection.close());
const temporal = new Client({ connection });
const patient = { limitMs: 600_000, pauseMs: 200 };

const journalOf = async (run: string) => {
  const file = `${sandbox.postgres.dataDirectory}.holdfast/journal/${run}.jsonl`;
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { step: string; state: string; token: number });
};

/** Attempts of the step that the restore is at, as Temporal counts them. */
async function attemptUnderWay(activity: string): Promise<number> {
  const handle = temporal.workflow.getHandle('sandbox/restore/database/main');
  const { raw } = await handle.describe();
  const pending = (raw.pendingActivities ?? []).find(({ activityType }) => activityType?.name === activity);
  // `PENDING_ACTIVITY_STATE_STARTED`
  return pending?.state === 2 ? (pending.attempt ?? 1) : 0;
}

const isStopped = async (pid: number) => (await readFile(`/proc/${pid}/stat`, 'utf8')).includes(') T ');

let target: string;

test('a backup, and something after it', async () => {
  const filled = await estate.pgbench('-i', '-q', '-s', '5');
  await filled.succeeded();
  await estate.done('backup', 'database/main');
  target = await estate.moment();
  await estate.query('truncate pgbench_accounts');
  await estate.done('check', 'database/main');
  await estate.killWorker();
});

test('the retry of a fetch waits until its zombie has left, and the restore is right', async (t) => {
  const zombie = await estate.startWorker(sandbox.configuration, 'fetch 1 SIGSTOP');
  const run = await estate.detached('restore', 'database/main', '--to', target);
  await waitFor('the first worker to stand still', () => isStopped(zombie), patient);
  const other = await estate.startWorker();
  assert.notEqual(other, zombie);
  await waitFor('a second attempt', async () => (await attemptUnderWay('fetchBaseBackup')) >= 2, patient);
  // It is at its step for a while, and touches nothing: the zombie has the lock.
  await sleep(3_000);
  const before = await journalOf(run);
  assert.deepEqual(before.at(-1), { ...before.at(-1), step: 'fetch', state: 'begin' });
  assert.equal(before.filter(({ step }) => step === 'fetch').length, 1);
  process.kill(zombie, 'SIGCONT');
  const shown = await estate.completed(run);
  const fetches = (await journalOf(run)).filter(({ step }) => step === 'fetch');
  t.diagnostic(fetches.map(({ state, token }) => `${state} ${token}`).join(', '));
  // The zombie neither finished nor undid anything: it was told that it is one.
  assert.deepEqual(
    fetches.map(({ state }) => state),
    ['begin', 'begin', 'done'],
  );
  assert.ok((fetches[1]?.token ?? 0) > (fetches[0]?.token ?? 0));
  assert.equal(await estate.value('select count(*) from pgbench_accounts'), '500000');
  assert.equal(shown.state, 'completed');
});
