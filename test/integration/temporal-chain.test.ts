// The whole chain through Temporal on real components: back up, lose, restore in place and beside, roll back, confirm.

import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import type { RunHandle } from '../../src/domain/client.ts';
import type { SnapshotSummary } from '../../src/domain/component-report.ts';
import type { RestoreDatabaseInput, RestorePartInput, RunStatus } from '../../src/domain/operations.ts';
import type { PartPlan, PartResult } from '../../src/domain/part.ts';
import type { RestoreResult } from '../../src/domain/run-data.ts';
import { openRestores } from '../../src/host/open-restores.ts';
import { run } from '../../src/process/index.ts';
import { typeHoldfast } from '../support/command-line.ts';
import { wholeFile } from '../support/components.ts';
import { texts } from '../support/estate-texts.ts';
import { testEstate } from '../support/temporal-estate.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await testEstate(wholeFile);

const ended = (handle: RunHandle): Promise<RunStatus> =>
  estate.client.follow(
    handle,
    (status) =>
      process.env.HOLDFAST_TEST_LOG &&
      console.error(status.message, JSON.stringify(status.steps.map(({ name, state, note }) => [name, state, note]))),
  );

function completed(status: RunStatus): RunStatus {
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  return status;
}

function restored(status: RunStatus): RestoreResult {
  const { restore } = completed(status).data ?? {};
  assert.ok(restore);
  return restore as RestoreResult;
}

async function query(sql: string, url = estate.postgres.superuserUrl): Promise<Record<string, string>[]> {
  const client = new pg.Client(url);
  await client.connect();
  return client
    .query(sql)
    .then(({ rows }) => rows as Record<string, string>[])
    .finally(() => client.end());
}

const restoreTo = (to: string, more: Partial<RestoreDatabaseInput> = {}): RestoreDatabaseInput => ({
  ...estate.input,
  to,
  approval: 'never',
  approveWithinSeconds: 600,
  ...more,
});

const numbers = async (url?: string) =>
  (await query('select n from entries order by n', url)).map(({ n }) => Number(n));

test('a backup is taken, kept on every copy, and known by its run', async () => {
  await query('create table entries (n int); insert into entries values (1)');
  const handle = await estate.client.startBackup({ ...estate.input, kind: 'physical' });
  const status = completed(await ended(handle));
  assert.equal(status.run, handle.runId);
  const snapshot = status.data?.snapshot as SnapshotSummary;
  assert.deepEqual(snapshot.copies, { local: 'present', eu: 'present' });
  // The role may replicate and not read: definitions are noted, and of the table it is said why it is not counted.
  const { databases, tables, notCounted, missing } = snapshot.facts ?? {};
  assert.deepEqual([databases, tables, notCounted, missing], [1, 0, { 'may not be read': 1 }, undefined]);
  // The worker is on the server's host, and its role may.
  assert.deepEqual([snapshot.way, snapshot.streamBecause], ['files', undefined]);
  assert.deepEqual(status.data?.verified, { level: 'listed', copies: { local: 'good', eu: 'good' } });
  assert.deepEqual(
    status.steps.map(({ state }) => state),
    ['done', 'done', 'done', 'done'],
  );
  const listed = await estate.client.snapshots('database/main');
  assert.deepEqual(
    listed.map(({ id }) => id),
    [snapshot.id],
  );
  assert.equal((await estate.client.status(handle.runId)).state, 'completed');
});

test('one table of a moment comes back beside the one that is there, or in its place, while production goes on', async () => {
  await query(`create table things (id int primary key, note text); insert into things select n, 'note ' || n from generate_series(1, 10) n;
    grant create on database postgres to holdfast; grant create, usage on schema public to holdfast`);
  const [{ moment = '' } = {}] = await query(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment`,
  );
  await query("update things set note = 'lost'");
  const words = [
    '-c',
    estate.configuration.path,
    'restore',
    'database',
    'main',
    '--to',
    moment,
    '--table',
    'public.things',
  ];
  const ask = async (...more: string[]) => await typeHoldfast([...words, ...more, '--json']);
  const plan = await waitFor('the log to reach the target', async () => {
    const asked = await ask('--as', 'things_then', '--dry-run');
    return asked.exit === 0 ? asked.json.partPlan : undefined;
  });
  assert.deepEqual([plan.way, plan.into, plan.database], ['as', 'public.things_then', 'postgres']);
  const beside = await ask('--as', 'things_then', '--yes');
  assert.equal(beside.exit, 0, beside.errors);
  const { part } = beside.json;
  assert.deepEqual([part.rows, part.tables, part.recoveredTo], [10, 1, moment]);
  assert.match(part.warnings.join(), /^the role 'postgres', whose table it was, is not there or cannot be given to/);
  assert.deepEqual(await query("select count(*)::int as n from things_then where note like 'note %'"), [{ n: 10 }]);
  // Nothing is left of the recovery but its journal, which says how it ended.
  const place = `${estate.postgres.dataDirectory}.clone.holdfast`;
  assert.deepEqual(await readdir(path.join(place, 'runs')), []);

  const refused = await ask('--replace', '--yes');
  assert.deepEqual([refused.exit, refused.json.error.code], [3, 'DATABASE_PRIVILEGE']);
  await query('alter table things owner to holdfast');
  // Where the policy asks for it, nothing is even recovered before somebody has approved the plan that waits.
  const waiting = await estate.client.startPart({
    ...{ ...estate.input, to: moment, table: { schema: 'public', table: 'things' }, replace: true },
    ...{ approval: 'always', approveWithinSeconds: 600 },
  });
  const { digest = '' } = await waitFor('the plan to wait', async () => {
    const { state, data } = await estate.client.status(waiting.runId);
    return state === 'waiting' ? (data?.partPlan as PartPlan) : undefined;
  });
  assert.deepEqual(await readdir(path.join(place, 'runs')), []);
  const approve = async (plan: string) =>
    await typeHoldfast(['-c', estate.configuration.path, 'approve', waiting.runId, '--plan', plan, '--json']);
  assert.notEqual((await approve('another')).exit, 0);
  assert.equal((await approve(digest)).exit, 0);
  const replaced = completed(await ended(waiting));
  const { part: exchanged, approval } = replaced.data ?? {};
  const { kept } = exchanged as Required<PartResult>;
  assert.match((approval as { by: string }).by, /@/);
  assert.deepEqual(await query("select count(*)::int as n from things where note like 'note %'"), [{ n: 10 }]);
  assert.deepEqual(await query(`select count(*)::int as n from ${kept.table} where note = 'lost'`), [{ n: 10 }]);
  assert.match(replaced.message, /the 10 of before are kept in public\.things_before_/);
  const taken = await ask('--as', 'things_then', '--yes');
  assert.deepEqual([taken.exit, taken.json.error.message], [3, "'public.things_then' is there already"]);
});

test('a run that is terminated leaves a server that `stop` ends and removes, and the next one brings a database back', async () => {
  await query('alter role holdfast superuser');
  const input: RestorePartInput = {
    ...{ ...estate.input, to: 'latest', database: 'postgres', into: 'postgres_then' },
    approval: 'never',
    approveWithinSeconds: 600,
  };
  const handle = await estate.client.startPart(input);
  await waitFor('its server', async () => {
    const { steps } = await estate.client.status(handle.runId);
    return steps.some(({ name, state }) => name === 'recover' && state === 'done');
  });
  const workflowId = `${estate.configuration.name}/restore/part/database/main`;
  await estate.temporal.workflow.getHandle(workflowId).terminate('by a person');
  const place = path.join(`${estate.postgres.dataDirectory}.clone.holdfast`, 'runs');
  assert.deepEqual(await readdir(place), [handle.runId]);
  // A minute later nobody can be between two steps of it any more.
  const { database, name } = estate.configuration;
  const later = { host: 'here', estate: name, now: new Date(Date.now() + 120_000) };
  const { found } = await waitFor('the worker to leave it', async () => {
    const left = await openRestores(database.main ?? assert.fail(), { runs: [], parts: [], unread: [] }, later);
    return left.found.length > 0 ? left : undefined;
  });
  assert.deepEqual(
    found.map(({ run: id, state }) => [id, state]),
    [[handle.runId, 'left']],
  );
  // Whoever began to tidy up by hand has taken the plan away: the journal still says whose it is.
  await rm(path.join(place, handle.runId, 'plan.json'));
  const stopped = await typeHoldfast(['-c', estate.configuration.path, 'stop', handle.runId, '--json']);
  assert.equal(stopped.exit, 0, stopped.text);
  assert.match(stopped.json.message, /; its directory was removed$/);
  assert.deepEqual(await readdir(place), []);

  const status = completed(await ended(await estate.client.startPart(input)));
  const { part } = status.data ?? {};
  const { rows, way } = part as PartResult;
  const then = new URL(estate.postgres.superuserUrl);
  then.pathname = '/postgres_then';
  assert.deepEqual([way, (await query('select note from things', then.href)).length], ['into', 10]);
  assert.ok(rows >= 10);
  await query('drop database postgres_then');
  await query('alter role holdfast nosuperuser');
});

test('an incremental capture is laid over it, as whole on every copy, and the next restore begins there', async () => {
  await query('create table later as select generate_series(1, 5000) as n');
  const handle = await estate.client.startBackup({ ...estate.input, kind: 'incremental' });
  const status = completed(await ended(handle));
  const snapshot = status.data?.snapshot as SnapshotSummary;
  assert.deepEqual([snapshot.capture, snapshot.copies], ['incremental', { local: 'present', eu: 'present' }]);
  assert.deepEqual(status.data?.verified, { level: 'listed', copies: { local: 'good', eu: 'good' } });
  incremental = snapshot.id;
});

let incremental: string;
let before2: string;
let first: RestoreResult;

test('a restore in place brings back the moment before the loss, keeps the old data, and backs up the new timeline', async () => {
  await query('insert into entries values (2)');
  const [{ moment } = { moment: '' }] = await query(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment`,
  );
  before2 = moment as string;
  await query('delete from entries');
  const target = restoreTo(before2);
  const plan = await waitFor('the log to reach the target', () => estate.client.plan(target).catch(() => undefined));
  assert.match(plan.base.why ?? '', /^the nearest: /);
  assert.equal(plan.base.snapshot, incremental);
  assert.equal(plan.forecast, undefined, 'nothing was restored yet');
  const handle = await estate.client.startRestore({ ...target, planDigest: plan.digest });
  const status = completed(await ended(handle));
  first = status.data?.restore as RestoreResult;
  assert.deepEqual(await numbers(), [1, 2]);
  assert.equal(first.recoveredTo, before2);
  assert.ok(first.oldDataDirectory?.startsWith(`${estate.postgres.dataDirectory}.before-`));
  assert.ok(!first.connection?.includes(new URL(estate.postgres.url).password));
  assert.deepEqual(Object.keys(first.timingsMs), ['fetch', 'replay', 'promote', 'checks', 'swap', 'total']);
  const backup = await waitFor('the new backup', async () => {
    const runs = await estate.client.history('database/main');
    return runs.find(({ data, state }) => data?.reason === `after ${status.run}` && state === 'completed');
  });
  assert.equal(backup.by, status.run);
});

test('the next plan forecasts how long it takes, by what this one took', async () => {
  const { forecast } = await estate.client.plan(restoreTo(before2));
  const { fetch, promote, checks, swap = 0 } = first.timingsMs;
  assert.equal(forecast?.restores, 1);
  assert.equal(forecast?.isWithoutSwap, false);
  assert.ok((forecast?.fetchMs ?? 0) >= fetch);
  assert.equal(forecast?.restMs, promote + checks + swap);
});

test('a rollback brings the replaced data back, and the log goes on', async () => {
  const handle = await estate.client.startRollback({ ...estate.input, run: first.id });
  completed(await ended(handle));
  assert.deepEqual(await numbers(), []);
  await query('insert into entries values (3)');
  const report = await estate.client.check('database/main');
  const segments = report.checks.filter(({ name }) => name.startsWith('segment on '));
  assert.deepEqual(
    segments.map(({ ok }) => ok),
    [true, true],
    JSON.stringify(report),
  );
});

test('a restore beside leaves a server running that `stop` ends, and touches nothing of production', async () => {
  const directory = path.join(path.dirname(estate.postgres.dataDirectory), 'beside');
  const target = restoreTo(before2, { timeline: 1, beside: { directory, start: true }, deep: true });
  const handle = await estate.client.startRestore(target);
  const { connection = '', checks = [] } = restored(await ended(handle));
  assert.ok(
    checks.some(({ name, ok }) => ok && name === 'pg_dump postgres'),
    JSON.stringify(checks),
  );
  const of = (wanted: string) => checks.find(({ name }) => name === wanted);
  assert.match(of('index roots postgres')?.value ?? '', /^\d+ indexes can be searched$/);
  assert.ok(['equal', 'moved on'].includes(of('facts postgres')?.verdict ?? ''), JSON.stringify(checks));
  const url = new URL(connection.replace('@/', '@localhost/'));
  const client = new pg.Client({
    host: url.searchParams.get('host') ?? '',
    port: Number(url.searchParams.get('port')),
    user: decodeURIComponent(url.username),
    database: 'postgres',
  });
  await client.connect();
  const { rows } = await client.query('select n from entries order by n').finally(() => client.end());
  assert.deepEqual(rows, [{ n: 1 }, { n: 2 }]);
  assert.deepEqual(await numbers(), [3]);
  const stopped = await estate.client.stopServer({ ...estate.input, run: handle.runId });
  assert.deepEqual([stopped.stopped, stopped.dataDirectory], [true, directory]);
});

test('a restore in place that is confirmed keeps nothing of the old data, and a rollback of it is refused', async () => {
  const handle = await estate.client.startRestore(restoreTo('latest'));
  const { id } = restored(await ended(handle));
  assert.deepEqual(await numbers(), [3]);
  completed(await ended(await estate.client.startConfirm({ ...estate.input, run: id })));
  const rollback = await ended(await estate.client.startRollback({ ...estate.input, run: id }));
  assert.deepEqual([rollback.state, rollback.error?.code], ['refused', 'JOURNAL_STATE']);
});

test('a standby beside follows the primary by a slot of its own until `stop` ends both', async () => {
  const directory = path.join(path.dirname(estate.postgres.dataDirectory), 'standby');
  // The backup of the new timeline, which the restore has begun, brings its log into the vault.
  completed(await ended(await estate.client.startBackup({ ...estate.input, kind: 'physical' })));
  const target = restoreTo('latest', { beside: { directory, start: true, standby: true } });
  const plan = await estate.client.plan(target);
  const handle = await estate.client.startRestore(target);
  const status = completed(await ended(handle));
  assert.deepEqual(
    status.steps.map(({ name }) => name),
    ['plan', 'prepare', 'fetch', 'recover', 'prove', 'check', 'finish'],
  );
  const { connection = '' } = restored(status);
  const url = new URL(connection.replace('@/', '@localhost/'));
  const client = new pg.Client({
    host: url.searchParams.get('host') ?? '',
    port: Number(url.searchParams.get('port')),
    user: decodeURIComponent(url.username),
    database: 'postgres',
  });
  await client.connect();
  try {
    await query('insert into entries values (4)');
    await waitFor('the row that was written', async () => {
      const { rows } = await client.query('select n from entries order by n');
      return rows.length === 2 && rows[1].n === 4;
    });
  } finally {
    await client.end();
  }
  const slots = async () =>
    (await query("select slot_name from pg_replication_slots where slot_name like 'standby%'")).length;
  assert.ok(plan.standbySlot?.startsWith('standby_'));
  assert.equal(await slots(), 1);
  const stopped = await estate.client.stopServer({ ...estate.input, run: handle.runId });
  assert.deepEqual([stopped.stopped, stopped.dataDirectory], [true, directory]);
  assert.equal(await slots(), 0);
  await query('delete from entries where n = 4');
});

test('a standby whose primary cannot be followed is refused, and leaves no slot', async () => {
  const directory = path.join(path.dirname(estate.postgres.dataDirectory), 'standby-of-the-past');
  const target = restoreTo('immediate', { beside: { directory, start: true, standby: true } });
  const status = await ended(await estate.client.startRestore(target));
  assert.deepEqual([status.state, status.error?.code], ['refused', 'TARGET_UNFIT']);
});

test('a target that cannot be reached is refused before anything is touched', async () => {
  const status = await ended(await estate.client.startRestore(restoreTo('2001-01-01T00:00:00Z')));
  assert.deepEqual([status.state, status.error?.code], ['refused', 'TARGET_OUTSIDE']);
  await assert.rejects(estate.client.plan(restoreTo('2001-01-01T00:00:00Z')), { code: 'TARGET_OUTSIDE' });
});

test('an input read from another configuration is refused', async () => {
  // A backup that runs already would be joined, whatever the input says.
  await waitFor('the backup after the restore', async () =>
    (await estate.client.running('database/main')).every(({ operation }) => operation === 'shipLog'),
  );
  const handle = await estate.client.startBackup({ ...estate.input, kind: 'physical', digest: 'f'.repeat(16) });
  const status = await ended(handle);
  assert.deepEqual([status.state, status.error?.code], ['refused', 'CONFIG_MISMATCH']);
});

test('no history holds the password of the database or the key of the vault', async () => {
  const secrets = [
    new URL(estate.postgres.url).password,
    (await readFile(path.join(estate.directory, 'secrets', 'vault.key'), 'utf8')).trim(),
  ];
  let seen = 0;
  const query = `HoldfastEstate = "${estate.configuration.name}"`;
  for await (const { workflowId, runId } of estate.temporal.workflow.list({ query })) {
    const history = await estate.temporal.workflow.getHandle(workflowId, runId).fetchHistory();
    const payloads = [...texts(history)].join('\n');
    // The same search finds what is no secret.
    assert.ok(payloads.includes(estate.configuration.name), workflowId);
    seen += 1;
    for (const secret of secrets) assert.ok(!payloads.includes(secret), workflowId);
  }
  assert.ok(seen >= 6, `${seen} histories`);
  await record();
});

/** With HOLDFAST_RECORD the histories of this run become those that test/replay replays. */
async function record(): Promise<void> {
  if (process.env.HOLDFAST_RECORD === undefined) return;
  const script = path.resolve(import.meta.dirname, '..', '..', 'scripts', 'record-histories.mjs');
  const address = String(estate.configuration.temporal.address);
  await run(process.execPath, [script, address, estate.configuration.name], { deadlineMs: 60_000 });
}
