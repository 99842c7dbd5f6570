// A logical backup through Temporal on real components: taken by hand, joined, listed, loaded again, and no secret in its history.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import type { RunHandle } from '../../src/domain/client.ts';
import type { SnapshotSummary } from '../../src/domain/component-report.ts';
import type { LoadResult } from '../../src/domain/load.ts';
import { run } from '../../src/process/index.ts';
import { wholeFile } from '../support/components.ts';
import { texts } from '../support/estate-texts.ts';
import { testEstate } from '../support/temporal-estate.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await testEstate(wholeFile);

async function query(sql: string, database?: string): Promise<unknown[]> {
  const url = new URL(estate.postgres.superuserUrl);
  if (database !== undefined) url.pathname = `/${database}`;
  const client = new pg.Client(url.href);
  await client.connect();
  const { rows } = await client.query(sql).finally(() => client.end());
  return rows;
}

const ended = (handle: RunHandle) => estate.client.follow(handle, () => undefined);

test('a dump that the role may not take is refused with the statement that mends it', async () => {
  await query('create table entries as select generate_series(1, 100) as n');
  const status = await ended(await estate.client.startDump(estate.input));
  assert.deepEqual([status.state, status.error?.code], ['refused', 'DATABASE_PRIVILEGE']);
  assert.match(status.error?.hint ?? '', /GRANT pg_read_all_data/);
  assert.deepEqual(await estate.client.snapshots('database/main'), []);
});

test('a dump is taken, kept on every copy, listed with its databases, and is no base backup', async () => {
  await query('grant pg_read_all_data to holdfast');
  const handle = await estate.client.startDump(estate.input);
  const status = await ended(handle);
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  const snapshot = status.data?.snapshot as SnapshotSummary;
  assert.deepEqual([snapshot.kind, snapshot.copies], ['logical', { local: 'present', eu: 'present' }]);
  assert.deepEqual(
    snapshot.databases?.map(({ name }) => name),
    ['postgres'],
  );
  assert.deepEqual(await estate.client.snapshots('database/main'), [snapshot]);
  const [component] = await estate.client.components();
  assert.deepEqual(component?.proven?.snapshot, snapshot.id);
  assert.ok(component?.findings.some(({ message }) => message === 'there is no snapshot yet'));
  const restore = { ...estate.input, to: 'latest', approval: 'never', approveWithinSeconds: 600 } as const;
  await assert.rejects(estate.client.plan(restore), { code: 'NO_SNAPSHOT' });
});

test('a table of the dump is loaded into a new database, by the plan that was shown, and the run is kept', async () => {
  await query('alter role holdfast superuser');
  const input = { ...estate.input, snapshot: 'latest', table: { schema: 'public', table: 'entries' }, into: 'look' };
  const plan = await estate.client.planLoad(input);
  assert.deepEqual(
    [plan.what, plan.into, plan.isNew, plan.blockers],
    ['table public.entries', 'look', true, undefined],
  );
  const changed = await ended(await estate.client.startLoad({ ...input, planDigest: 'f'.repeat(16) }));
  assert.deepEqual([changed.state, changed.error?.code], ['refused', 'PLAN_CHANGED']);
  const handle = await estate.client.startLoad({ ...input, planDigest: plan.digest });
  const status = await ended(handle);
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  const loaded = status.data?.load as LoadResult;
  assert.deepEqual([loaded.id, loaded.tables, loaded.rows], [status.run, 1, 100]);
  assert.deepEqual(await query('select count(*)::int as n from entries', 'look'), [{ n: 100 }]);
  assert.equal((await estate.client.status(status.run)).message, status.message);
  // Nothing that was fetched is left on the disk.
  assert.deepEqual(await readdir(path.join(estate.directory, 'state', 'load', 'main')), []);
  // The same again: it is there, and stays as it is.
  const again = await ended(await estate.client.startLoad(input));
  assert.deepEqual([again.state, again.error?.code], ['refused', 'TARGET_UNFIT']);
  assert.deepEqual(await query('select count(*)::int as n from entries', 'look'), [{ n: 100 }]);
});

test('no history of a dump or a load holds the password of the database', async () => {
  const secret = new URL(estate.postgres.url).password;
  const query = `HoldfastEstate = "${estate.configuration.name}" and WorkflowType != "shipLog"`;
  // Two dumps and three loads; the server's list learns of a run a moment later.
  const listed = await waitFor('all runs to be listed', async () => {
    const found = [];
    for await (const execution of estate.temporal.workflow.list({ query })) found.push(execution);
    return found.length >= 5 ? found : undefined;
  });
  assert.equal(listed.length, 5);
  for (const { workflowId, runId } of listed) {
    const payloads = [...texts(await estate.temporal.workflow.getHandle(workflowId, runId).fetchHistory())].join('\n');
    assert.ok(payloads.includes(estate.configuration.name), workflowId);
    assert.ok(!payloads.includes(secret), workflowId);
  }
  await record();
});

/** With HOLDFAST_RECORD the histories of this run become those that test/replay replays. */
async function record(): Promise<void> {
  if (process.env.HOLDFAST_RECORD === undefined) return;
  const script = path.resolve(import.meta.dirname, '..', '..', 'scripts', 'record-histories.mjs');
  const address = String(estate.configuration.temporal.address);
  await run(process.execPath, [script, address, estate.configuration.name], { deadlineMs: 60_000 });
}
