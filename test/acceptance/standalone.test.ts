// A restore is terminated between steps of its swap and Temporal is gone: a person ends it by the journal, forward or back.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { estateSandbox } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';
/** Lines of a swap's journal: `swap` at both ends, and ten steps that begin and are done. */
const lastLine = 22;
const lines = isFull ? Array.from({ length: lastLine }, (_, index) => index + 1) : [4, 13, 14, 21];

const estate = await estateSandbox();
const { sandbox } = estate;
const { dataDirectory } = sandbox.postgres;
const journalDirectory = `${dataDirectory}.holdfast/journal`;
const connection = await Connection.connect({ address: sandbox.temporal.address });
after(() => connection.close());
const temporal = new Client({ connection });

/** The same estate for somebody who cannot reach Temporal. */
const alone = path.join(sandbox.directory, 'alone.yaml');
const text = await readFile(sandbox.configuration, 'utf8');
await writeFile(alone, text.replace(sandbox.temporal.address, '127.0.0.1:1'));

const notes = () => estate.value(`select string_agg(note, ' ' order by id) from ledger`);
const journalOf = async (run: string) =>
  (await readFile(path.join(journalDirectory, `${run}.jsonl`), 'utf8')).trim().split('\n');

async function standalone(...args: string[]) {
  const { exit, json, stdout, stderr } = await estate.holdfast([...args, '--standalone', '--yes'], alone);
  assert.equal(exit, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  return json;
}

/** As `temporal workflow terminate` does it, whoever started it. */
async function terminateRestores(): Promise<void> {
  const query = `WorkflowType = 'restoreDatabase' and ExecutionStatus = 'Running'`;
  const isOpen = async () => {
    const found: string[] = [];
    for await (const { workflowId } of temporal.workflow.list({ query })) found.push(workflowId);
    return found;
  };
  for (const workflowId of await isOpen()) await temporal.workflow.getHandle(workflowId).terminate('by a person');
  await waitFor('no open restore', async () => (await isOpen()).length === 0);
}

const receives = () =>
  waitFor(
    'the log to be received',
    async () => (await estate.value('select active from pg_replication_slots')) === 'true',
    {
      limitMs: 300_000,
      pauseMs: 500,
    },
  );

let target: string;
const restoreIt = () => estate.detached('restore', 'database/main', '--to', target, '--timeline', '1');

test('a backup, a moment, and something after it', async () => {
  await estate.query('create table ledger (id serial primary key, note text)');
  await estate.query("insert into ledger (note) values ('kept')");
  await estate.done('backup', 'database/main');
  target = await estate.moment();
  await estate.query("insert into ledger (note) values ('later')");
  await estate.done('check', 'database/main');
  await estate.killWorker();
});

for (const line of lines) {
  const isForward = line % 2 === 0;
  test(`terminated at line ${line} of its swap, a restore is ${isForward ? 'finished' : 'rolled back'} without Temporal`, async (t) => {
    await estate.startWorker(sandbox.configuration, `swap ${line} SIGKILL`);
    const run = await restoreIt();
    await estate.workerGone();
    await terminateRestores();
    const last = JSON.parse((await journalOf(run)).at(-1) ?? '');
    t.diagnostic(`the journal ends with '${last.step} ${last.state}'`);
    if (isForward) {
      const said = await standalone('resume', run);
      assert.equal(said.state, 'completed');
      assert.equal(said.plan.run, run);
      assert.equal(await notes(), 'kept');
      // Done again it changes nothing, and says so beforehand.
      const { json: dry } = await estate.holdfast(['resume', run, '--standalone', '--dry-run'], alone);
      assert.match(dry.message, /is swapped: .*replaces nothing/);
      await standalone('resume', run);
      assert.equal(await notes(), 'kept');
    }
    const said = await standalone('rollback', 'database/main');
    assert.equal(said.run.operation, 'rollbackRestore');
    assert.equal(await notes(), 'kept later');
    await standalone('rollback', run);
    assert.equal(await notes(), 'kept later');
    const { exit, json } = await estate.holdfast(['resume', run, '--standalone', '--yes'], alone);
    assert.equal(json.error.code, 'JOURNAL_STATE');
    assert.notEqual(exit, 0);
  });
}

test('a worker whose Temporal is away follows a resumed and a rolled back restore with the log', async () => {
  await estate.startWorker(sandbox.configuration, 'swap 14 SIGKILL');
  const run = await restoreIt();
  await estate.workerGone();
  await terminateRestores();
  await estate.startWorkerApart(alone);
  await standalone('resume', run);
  assert.equal(await notes(), 'kept');
  await receives();
  await standalone('check', 'database/main');
  await standalone('rollback', run);
  assert.equal(await notes(), 'kept later');
  await receives();
  await standalone('check', 'database/main');
  await estate.killWorker();
});

test('terminated while it builds, a restore is finished from the plan beside the data, and confirmed', async () => {
  await estate.startWorker(sandbox.configuration, 'fetch 1 SIGKILL');
  const run = await restoreIt();
  await estate.workerGone();
  await terminateRestores();
  const { json: dry } = await estate.holdfast(['resume', 'database/main', '--standalone', '--dry-run'], alone);
  assert.match(dry.message, new RegExp(`${run} of database/main is preparing: 'fetch begin'`));
  assert.equal(await notes(), 'kept later');
  await standalone('resume', 'database/main');
  assert.equal(await notes(), 'kept');
  const { json: past } = await estate.holdfast(['history', '--standalone'], alone);
  const { runs } = past;
  assert.equal(runs[0].id, run);
  assert.match(runs[0].by, /without Temporal/);
  const kept = (await readdir(path.dirname(dataDirectory))).filter((name) => name.includes('.before-'));
  assert.equal(kept.length, 1);
  // Temporal saw it end from outside; the vault knows how it ended really.
  await estate.startWorker();
  const shown = await estate.done('show', run);
  assert.equal(shown.run.state, 'completed');
  const next = await estate.holdfast(['restore', 'database/main', '--to', 'latest', '--dry-run']);
  assert.deepEqual([next.exit, next.json.state, next.json.error.code], [3, 'refused', 'JOURNAL_STATE']);
  assert.match(next.json.error.hint, new RegExp(`rollback ${run}.*confirm ${run}`));
  assert.ok(next.json.plan.target.moment, 'it still answers what the target would be');
  await estate.killWorker();
  const left = async () => {
    const { json } = await estate.holdfast(['status', '--standalone'], alone);
    return json.components[0].restores.map((one: { run: string; state: string }) => [one.run, one.state]);
  };
  assert.deepEqual(await left(), [[run, 'unconfirmed']]);
  await standalone('confirm', 'database/main');
  assert.deepEqual(await left(), []);
  assert.ok(!existsSync(path.join(path.dirname(dataDirectory), kept[0] ?? '')));
  assert.equal(await notes(), 'kept');
  const { exit, json } = await estate.holdfast(['rollback', run, '--standalone', '--yes'], alone);
  assert.equal(json.error.code, 'JOURNAL_STATE');
  assert.notEqual(exit, 0);
});

test('a person is refused while a worker is at a step, and the worker then ends its restore by itself', async () => {
  const worker = await estate.startWorker(sandbox.configuration, 'swap 5 SIGSTOP');
  await estate.done('backup', 'database/main');
  const now = await estate.moment();
  await estate.query("insert into ledger (note) values ('lost')");
  await estate.done('check', 'database/main');
  const run = await estate.detached('restore', 'database/main', '--to', now);
  const stopped = async () => (await readFile(`/proc/${worker}/stat`, 'utf8')).includes(') T ');
  await waitFor('the worker to stand still', stopped, { limitMs: 600_000, pauseMs: 200 });
  const before = await journalOf(run);
  for (const command of ['rollback', 'resume']) {
    const { exit, json, stdout } = await estate.holdfast([command, run, '--standalone', '--yes'], alone);
    assert.equal(json?.error?.code, 'LOCKED', stdout);
    assert.match(json.error.hint, /a worker is at a step/);
    assert.equal(exit, 3);
  }
  assert.deepEqual(await journalOf(run), before);
  process.kill(worker, 'SIGCONT');
  await estate.completed(run);
  assert.equal(await notes(), 'kept');
});

test('what Temporal alone can do is refused with --standalone, and so is resuming without it', async () => {
  const wrong = await estate.holdfast(['backup', 'database/main', '--standalone'], alone);
  assert.equal(wrong.json.error.code, 'USAGE');
  assert.match(wrong.json.error.hint, /`rollback`/);
  assert.equal(wrong.exit, 2);
  const open = await estate.holdfast(['resume', 'database/main'], alone);
  assert.equal(open.json.error.code, 'USAGE');
  for (const what of ['database/main', 'restore-00000000']) {
    const gone = await estate.holdfast(['rollback', what, '--yes'], alone);
    assert.equal(gone.json.error.code, 'TEMPORAL_UNREACHABLE');
    assert.match(gone.json.error.hint, /--standalone/);
  }
  const nobody = await estate.holdfast(['rollback', 'restore-00000000', '--standalone', '--yes'], alone);
  assert.equal(nobody.json.error.code, 'NOT_FOUND');
});
