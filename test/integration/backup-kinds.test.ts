// Backups of every kind through Temporal on a server that takes no incremental ones, and whose disk damages a page.

import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import type { RunHandle } from '../../src/domain/client.ts';
import type { SnapshotSummary } from '../../src/domain/component-report.ts';
import { compareLsn, type Lsn } from '../../src/domain/lsn.ts';
import type { BackupKind, RunStatus } from '../../src/domain/operations.ts';
import type { PointResult } from '../../src/domain/run-data.ts';
import { wholeFile } from '../support/components.ts';
import { testEstate } from '../support/temporal-estate.ts';

const estate = await testEstate(wholeFile, { major: 15 });

async function ended(kind: BackupKind): Promise<RunStatus> {
  const handle: RunHandle = await estate.client.startBackup({ ...estate.input, kind });
  return await estate.client.follow(handle, () => undefined);
}

async function query(sql: string): Promise<Record<string, string>[]> {
  const client = new pg.Client(estate.postgres.superuserUrl);
  await client.connect();
  return client
    .query(sql)
    .then(({ rows }) => rows as Record<string, string>[])
    .finally(() => client.end());
}

async function point(): Promise<PointResult> {
  const status = await ended('point');
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  return status.data?.point as PointResult;
}

async function refusal(kind: BackupKind): Promise<[string, string | undefined]> {
  const status = await ended(kind);
  return [status.state, status.error?.code];
}

test('a point is refused while there is no base backup that the log could follow on', async () => {
  assert.deepEqual(await refusal('point'), ['failed', 'LOG_HOLE']);
});

test('a point closes the log and is on every copy without a snapshot of its own', async () => {
  assert.equal((await ended('physical')).state, 'completed');
  await query('create table entries as select 1 n');
  const [before] = await query(
    'select pg_current_wal_lsn()::text as lsn, pg_walfile_name(pg_current_wal_lsn()) as file',
  );
  const made = await point();
  assert.equal(made.way, 'segment switch');
  assert.ok(compareLsn(made.lsn, before?.lsn as Lsn) > 0);
  assert.deepEqual(made.copies, { local: 'reached', eu: 'reached' });
  const [after] = await query('select pg_walfile_name(pg_current_wal_insert_lsn()) as file');
  assert.notEqual(after?.file, before?.file);
  assert.equal((await estate.client.snapshots('database/main')).length, 1);
  const [status] = await estate.client.components();
  assert.ok(compareLsn(status!.window!.toLsn!, made.lsn) >= 0);
});

test('a role that may not close a segment writes a restore point; one that may neither is told what to grant', async (t) => {
  t.after(() => query('grant execute on function pg_switch_wal() to holdfast').then(() => undefined));
  await query('revoke execute on function pg_switch_wal() from holdfast');
  assert.equal((await point()).way, 'restore point');
  await query('revoke execute on function pg_create_restore_point(text) from holdfast');
  const status = await ended('point');
  assert.equal(status.error?.code, 'DATABASE_PRIVILEGE');
  assert.match(status.error?.hint ?? '', /GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal\(\) TO holdfast;/);
});

test('a base backup with a damaged page is kept, marked and told, and a restore begins at the clean one before it', async () => {
  await query('create table damaged as select n, repeat(md5(n::text), 8) t from generate_series(1, 2000) n');
  assert.equal((await ended('physical')).state, 'completed');
  const [clean] = await estate.client.snapshots('database/main');
  const [row] = await query("select pg_relation_filepath('damaged') as file");
  await estate.postgres.stop();
  const file = await open(path.join(estate.postgres.dataDirectory, row?.file ?? ''), 'r+');
  await file.write(Buffer.from('rot'), 0, 3, 5 * 8192 + 4000);
  await file.close();
  await estate.postgres.start();
  const status = await ended('physical');
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  assert.match(status.message ?? '', /with damaged pages/);
  const snapshot = status.data?.snapshot as SnapshotSummary;
  assert.deepEqual([snapshot.state, snapshot.copies], ['damaged', { local: 'present', eu: 'present' }]);
  const [component] = await estate.client.components();
  assert.equal(component?.state, 'late');
  assert.ok(
    component.findings.some(
      ({ message }) =>
        message.startsWith(`the newest snapshot ${snapshot.id} has damaged pages`) &&
        message.includes('public.damaged'),
    ),
    JSON.stringify(component.findings),
  );
  const restore = { ...estate.input, to: 'latest', approval: 'never', approveWithinSeconds: 600 } as const;
  const plan = await estate.client.plan(restore);
  assert.equal(plan.base.snapshot, clean?.id);
});
