// A logical backup through Temporal on real components: taken by hand, joined, listed, late by its own schedule, and no secret in its history.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import type { SnapshotSummary } from '../../src/domain/component-report.ts';
import { run } from '../../src/process/index.ts';
import { wholeFile } from '../support/components.ts';
import { texts } from '../support/estate-texts.ts';
import { testEstate } from '../support/temporal-estate.ts';

const estate = await testEstate(wholeFile);

async function query(sql: string): Promise<void> {
  const client = new pg.Client(estate.postgres.superuserUrl);
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

test('a dump that the role may not take is refused with the statement that mends it', async () => {
  await query('create table entries as select generate_series(1, 100) as n');
  const status = await estate.client.follow(await estate.client.startDump(estate.input), () => undefined);
  assert.deepEqual([status.state, status.error?.code], ['refused', 'DATABASE_PRIVILEGE']);
  assert.match(status.error?.hint ?? '', /GRANT pg_read_all_data/);
  assert.deepEqual(await estate.client.snapshots('database/main'), []);
});

test('a dump is taken, kept on every copy, listed with its databases, and is no base backup', async () => {
  await query('grant pg_read_all_data to holdfast');
  const handle = await estate.client.startDump(estate.input);
  const status = await estate.client.follow(handle, () => undefined);
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

test('no history of a dump holds the password of the database', async () => {
  const secret = new URL(estate.postgres.url).password;
  let seen = 0;
  const query = `HoldfastEstate = "${estate.configuration.name}" and WorkflowType = "dumpDatabase"`;
  for await (const { workflowId, runId } of estate.temporal.workflow.list({ query })) {
    const payloads = [...texts(await estate.temporal.workflow.getHandle(workflowId, runId).fetchHistory())].join('\n');
    assert.ok(payloads.includes(estate.configuration.name), workflowId);
    assert.ok(!payloads.includes(secret), workflowId);
    seen += 1;
  }
  assert.equal(seen, 2);
  await record();
});

/** With HOLDFAST_RECORD the histories of this run become those that test/replay replays. */
async function record(): Promise<void> {
  if (process.env.HOLDFAST_RECORD === undefined) return;
  const script = path.resolve(import.meta.dirname, '..', '..', 'scripts', 'record-histories.mjs');
  const address = String(estate.configuration.temporal.address);
  await run(process.execPath, [script, address, estate.configuration.name], { deadlineMs: 60_000 });
}
