// A worker stands still for longer than Temporal waits, wakes up in the middle of its step, and writes on beside its own retry elsewhere.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { estateSandbox } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const patient = { limitMs: 600_000, pauseMs: 200 };

const journalOf = async (run: string) => {
  const file = `${sandbox.postgres.dataDirectory}.holdfast/journal/${run}.jsonl`;
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { step: string; state: string; token: number });
};

const waiting = 'an earlier attempt is still at it';

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
  // It has taken the lease, and touches nothing: the zombie has the lock.
  await waitFor('a later attempt to wait', async () => (await estate.shown(run)).includes(waiting), patient);
  const before = await journalOf(run);
  assert.deepEqual(before.at(-1), { ...before.at(-1), step: 'fetch', state: 'begin' });
  assert.equal(before.filter(({ step }) => step === 'fetch').length, 1);
  process.kill(zombie, 'SIGCONT');
  // Both live on: of two workers of one host one alone receives the log, and the run goes on in either.
  const shown = await estate.completed(run);
  const fetches = (await journalOf(run)).filter(({ step }) => step === 'fetch');
  t.diagnostic(fetches.map(({ state, token }) => `${state} ${token}`).join(', '));
  // The zombie neither finished nor undid anything: it was told that it is one. Several attempts may have begun, because what was
  // given to a process that stands still is given to the next one.
  assert.deepEqual(
    fetches.map(({ state }) => state),
    [...Array.from({ length: fetches.length - 1 }, () => 'begin'), 'done'],
  );
  const [first, ...later] = fetches.map(({ token }) => token);
  assert.ok(
    later.length >= 2 && later.every((token, index) => token > (first ?? 0) && token >= (later[index - 1] ?? 0)),
  );
  assert.equal(await estate.value('select count(*) from pgbench_accounts'), '500000');
  assert.equal(shown.state, 'completed');
});
