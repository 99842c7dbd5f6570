// The worker is killed in the middle of a restore in place: nothing half-made can be started, and the restore ends by itself.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { tryRun } from '../../src/process/index.ts';
import { localObjects } from '../support/estate-objects.ts';
import { estateSandbox } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const { dataDirectory, bindir, runAs } = sandbox.postgres;
const holdfastDirectory = `${dataDirectory}.holdfast`;
const soon = { limitMs: 300_000, pauseMs: 5 };

const sums = () =>
  estate.value(
    `select concat_ws(' ', (select sum(abalance) || ' ' || count(*) from pgbench_accounts), (select sum(bbalance) from pgbench_branches),
       (select sum(tbalance) from pgbench_tellers), (select count(*) || ' ' || coalesce(sum(delta), 0) from pgbench_history))`,
  );

let expected: string;
let target: string;

test('a backup, and log after it', async () => {
  const filled = await estate.pgbench('-i', '-q', '-s', '20');
  await filled.succeeded();
  await estate.done('backup', 'database/main');
  const bench = await estate.pgbench('-c', '2', '-t', '1000', '--no-vacuum');
  await bench.succeeded();
  expected = await sums();
  target = await estate.moment();
});

/** Starts a restore in place to a moment with known sums, after something was lost. */
async function loseAndRestore(): Promise<string> {
  await estate.query('truncate pgbench_accounts, pgbench_history');
  await estate.done('check', 'database/main');
  return estate.detached('restore', 'database/main', '--to', target, '--timeline', '1');
}

const workDirectory = (run: string) => path.join(holdfastDirectory, 'runs', run);

test('a restore whose worker is killed while it fetches cannot be started half-made, and ends by itself', async () => {
  const run = await loseAndRestore();
  const data = path.join(workDirectory(run), 'data');
  await waitFor(
    'files to be fetched',
    async () => existsSync(path.join(data, 'base')) && (await localObjects(data)).size > 200,
    soon,
  );
  await estate.killWorker();
  assert.ok(existsSync(path.join(data, 'PG_VERSION')) || (await readdir(data)).length > 0);
  assert.ok(!existsSync(path.join(data, 'global', 'pg_control')), 'pg_control is there while the fetch is under way');
  const options = { cwd: '/', deadlineMs: 60_000, ...(runAs === undefined ? {} : { runAs }) };
  const started = await tryRun(path.join(bindir, 'postgres'), ['-D', data, '-c', 'port=1'], options);
  assert.ok(started.exitCode !== 0 && !started.timedOut, started.stderrTail);
  // Production was not touched.
  assert.equal(await estate.value('select count(*) from pgbench_accounts'), '0');
  await estate.startWorker();
  await endsRight(run);
});

test('a restore whose worker is killed in the middle of the renames ends by itself', async (t) => {
  const run = await loseAndRestore();
  const journal = path.join(holdfastDirectory, 'journal', `${run}.jsonl`);
  await waitFor(
    'the first rename',
    async () => (await readFile(journal, 'utf8').catch(() => '')).includes('"keep old"'),
    soon,
  );
  await estate.killWorker();
  t.diagnostic(`the journal ends with ${(await readFile(journal, 'utf8')).trim().split('\n').at(-1)}`);
  await estate.startWorker();
  await endsRight(run);
});

/** It goes through, or everything is as before; in between is nothing. */
async function endsRight(run: string): Promise<void> {
  const shown = await estate.ended(run);
  assert.ok(['completed', 'rolled back'].includes(shown.run.state), JSON.stringify(shown));
  if (shown.run.state === 'completed') assert.equal(await sums(), expected);
  else assert.equal(await estate.value('select count(*) from pgbench_accounts'), '0');
  assert.deepEqual(
    (await readdir(path.dirname(dataDirectory))).filter((name) => name.includes('removing')),
    [],
  );
  const { snapshot } = await estate.completed('backup/database/main');
  assert.equal(snapshot.state, 'clean');
  if (shown.run.state === 'completed') await estate.done('confirm', run, '--yes');
}
