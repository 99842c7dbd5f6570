// Logical backups of real servers: what is committed is what pg_dump gives, whole, and nothing is left on the disk.

import assert from 'node:assert/strict';
import { cp, mkdir, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { pino } from 'pino';
import { dumpWarnings, type LogicalDetails, type TakeDumpOptions, takeDump } from '../../src/postgres/logical/index.ts';
import { verifyDump } from '../../src/postgres/logical/verify-dump.ts';
import { findTools } from '../../src/postgres/tools.ts';
import { run, start } from '../../src/process/index.ts';
import type { SnapshotOnCopies, Vault } from '../../src/vault/index.ts';
import { untilFree } from '../support/lock-of-the-dead.ts';
import { inDatabase, makeRichDatabase, plainDump } from '../support/rich-database.ts';
import { type ScratchPostgres, startScratchPostgres, superuserPassword } from '../support/scratch-postgres.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { COMPONENT, readFiles, snapshotId, type TestVault, testVault } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });
const AWKWARD = `bank='x' "y"`;

interface Setting {
  readonly server: ScratchPostgres;
  readonly vault: Vault;
  readonly made: TestVault;
  readonly spoolDirectory: string;
  take(number: number, changes?: Partial<TakeDumpOptions>): Promise<SnapshotOnCopies>;
}

async function setting(t: TestContext, major: number): Promise<Setting> {
  const server = await startScratchPostgres(t, { major });
  const made = await testVault();
  t.after(() => made[Symbol.asyncDispose]());
  const spoolDirectory = path.join(await temporaryDirectory(t), 'state', 'dump', 'main');
  const { vault } = made;
  const take = (number: number, changes: Partial<TakeDumpOptions> = {}) =>
    takeDump({
      ...{ vault, spoolDirectory, logger },
      source: { component: COMPONENT, url: server.url() },
      request: { snapshotId: snapshotId(number), component: COMPONENT, host: 'db1' },
      choice: { include: [], exclude: [] },
      jobs: 4,
      signal: new AbortController().signal,
      ...changes,
    });
  return { server, vault, made, spoolDirectory, take };
}

const detailsOf = ({ engine }: SnapshotOnCopies) => engine as LogicalDetails;

/** Writes the files of a snapshot below a directory. */
async function fetch(vault: Vault, number: number, directory: string): Promise<void> {
  for (const [name, bytes] of Object.entries(await readFiles(await vault.openSnapshot(snapshotId(number))))) {
    await mkdir(path.join(directory, path.dirname(name)), { recursive: true });
    await writeFile(path.join(directory, name), bytes);
  }
}

for (const major of [15, 17, 18]) {
  test(`a dump of PostgreSQL ${major} holds every database as pg_dump gives it, and the globals`, async (t) => {
    const { server, vault, spoolDirectory, take } = await setting(t, major);
    await makeRichDatabase(server, 'bank');
    await makeRichDatabase(server, AWKWARD, { roles: false });
    await server.query('create database closed with allow_connections false');
    const snapshot = await take(1);
    const { databases, leftOut, globals, dumpVersion, sizeBytes } = detailsOf(snapshot);
    assert.deepEqual([snapshot.kind, snapshot.class, snapshot.state], ['logical', 'logical', 'clean']);
    assert.deepEqual(
      databases.map(({ name }) => name),
      ['bank', AWKWARD, 'postgres'],
    );
    assert.deepEqual(leftOut, ['closed']);
    assert.equal(globals.passwords, true);
    assert.match(dumpVersion, new RegExp(`^${major}\\.`));
    const [bank] = databases;
    assert.equal(bank?.owner, 'clerk');
    assert.equal(bank?.encoding, 'UTF8');
    assert.deepEqual(bank?.extensions, ['hstore', 'pg_trgm', 'plpgsql']);
    assert.equal(bank?.largeObjects, 6);
    assert.deepEqual(bank?.settings, ['search_path=ledger, "Odd ""names""", public', 'statement_timeout=1h']);
    assert.ok(snapshot.from < bank!.moment && bank!.moment <= snapshot.to);
    assert.equal(
      snapshot.to,
      databases
        .map(({ moment }) => moment)
        .sort()
        .at(-1),
    );
    assert.equal(sizeBytes, snapshot.statistics.readBytes);
    assert.deepEqual(await readdir(spoolDirectory), ['lock']);

    // What the programs make of the files that come out of the vault is what pg_dump says of the server now.
    const directory = await temporaryDirectory(t);
    await fetch(vault, 1, directory);
    for (const { name, path: below } of databases) {
      const args = ['--file=-', path.join(directory, below)];
      const { stdout } = await run(server.bin('pg_restore'), args, { maxStdoutBytes: 256 * 1024 ** 2 });
      const text = stdout.replaceAll(/^\\(un)?restrict .*$/gm, '').replaceAll(/^-- Dumped (from|by) .*$/gm, '');
      assert.equal(text, await plainDump(server, name), name);
    }
    assert.match(await readFile(path.join(directory, 'globals.sql'), 'utf8'), /ROLE clerk .*PASSWORD 'SCRAM-SHA-256/);

    // The same snapshot id again: nothing is dumped a second time.
    assert.deepEqual((await take(1)).statistics, snapshot.statistics);
    // Another day in which little changed adds little: the rows are not compressed.
    await inDatabase(server, 'bank', `update ledger.documents set body = 'one' where id = 3`);
    const second = await take(2);
    assert.ok(second.statistics.newBytes < snapshot.statistics.newBytes / 4, `${second.statistics.newBytes} new`);
  });
}

test('a dump is of one instant, which its moment names, whatever is written meanwhile', async (t) => {
  const { server, vault, take } = await setting(t, 18);
  await server.query('create table moments as select clock_timestamp() as at from generate_series(1, 100)');
  await server.query('create table held (n int)');
  const release = await blockTable(server, 'held');
  const taking = take(1);
  taking.catch(() => undefined); // awaited below
  await waitFor('pg_dump to wait for the table', () => waiting(server));
  await server.query('insert into moments select clock_timestamp() from generate_series(1, 50)');
  await release();
  const [dumped] = detailsOf(await taking).databases;
  const counts = await server.query<{ before: string; after: string }>(
    `select count(*) filter (where at < '${dumped?.moment}') as before, count(*) filter (where at > '${dumped?.moment}') as after from moments`,
  );
  assert.deepEqual(counts, [{ before: '100', after: '50' }]);
  const directory = await temporaryDirectory(t);
  await fetch(vault, 1, directory);
  const args = ['--file=-', '--data-only', '--table=moments', path.join(directory, dumped?.path ?? '')];
  const { stdout } = await run(server.bin('pg_restore'), args);
  assert.equal(stdout.split('\n').filter((line) => /^20\d\d-/.test(line)).length, 100);
});

test('databases are chosen by name, and a name that is no database is refused', async (t) => {
  const { server, vault, take } = await setting(t, 15);
  for (const name of ['shop_a', 'shop_b', 'other']) await server.query(`create database ${name}`);
  const chosen = await take(1, { choice: { include: ['shop_*', 'postgres'], exclude: ['*_b'] } });
  assert.deepEqual(
    detailsOf(chosen).databases.map(({ name }) => name),
    ['postgres', 'shop_a'],
  );
  assert.deepEqual(dumpWarnings(chosen), [
    'left out: other, shop_b (by the configuration, or because they allow no connections)',
  ]);
  await assert.rejects(take(2, { choice: { include: ['shop_c'], exclude: [] } }), {
    code: 'NOT_FOUND',
    message: "there is no database 'shop_c', which 'logical.include' names",
    hint: 'databases: other, postgres, shop_a, shop_b',
  });
  await assert.rejects(take(2, { choice: { include: [], exclude: ['*'] } }), { code: 'NOT_FOUND' });
  assert.equal((await vault.listSnapshots(COMPONENT)).length, 1);
});

test('a role that may not read everything is told what it lacks, and one that may not read pg_authid dumps without passwords and says so', async (t) => {
  const { server, vault, take } = await setting(t, 18);
  await server.query("create role holdfast login replication password 'h'; create table t (n int)");
  const source = { component: COMPONENT, url: server.url('holdfast', 'h') } as const;
  await assert.rejects(take(1, { source }), (error: { code: string; hint: string }) => {
    assert.equal(error.code, 'DATABASE_PRIVILEGE');
    assert.match(error.hint, /GRANT pg_read_all_data/);
    return true;
  });
  assert.deepEqual(await vault.listSnapshots(COMPONENT), []);
  // It may read every table and not pg_authid, as grants of a DBA give it.
  await server.query('grant select on t to holdfast');
  const snapshot = await take(1, { source });
  assert.equal(detailsOf(snapshot).globals.passwords, false);
  assert.match(dumpWarnings(snapshot).join(), /without their passwords/);
  const { 'globals.sql': globals } = await readFiles(await vault.openSnapshot(snapshotId(1)));
  assert.match(String(globals), /CREATE ROLE holdfast/);
  assert.doesNotMatch(String(globals), /PASSWORD/);
  await server.query('grant pg_read_all_data to holdfast');
  assert.equal(detailsOf(await take(2, { source })).globals.passwords, true);
});

test('programs of another major are refused before anything runs', async (t) => {
  const { spoolDirectory, take, server } = await setting(t, 18);
  // A cache that knows of no 18, and no 18 in the usual places: only the distribution's 15 answers.
  const cacheDirectory = await temporaryDirectory(t);
  await assert.rejects(take(1, { tools: { cacheDirectory } }), { code: 'TOOL_VERSION', details: { major: 18 } });
  await assert.rejects(readdir(spoolDirectory), { code: 'ENOENT' });
  assert.equal((await server.query("select 1 from pg_stat_activity where application_name = 'pg_dump'")).length, 0);
});

test('too little room is refused with the numbers, and a disk that fills up leaves nothing behind', async (t) => {
  const { server, vault, spoolDirectory, take } = await setting(t, 18);
  await server.query(`create table wide as select repeat(md5(n::text), 300) t from generate_series(1, 6000) n`);
  await mkdir(spoolDirectory, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', spoolDirectory]);
  try {
    await assert.rejects(take(1), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'NO_SPACE');
      assert.match(error.message, /^the dump of '\w+' needs about [\d.]+ MiB in '.*', [\d.]+ MiB are free$/);
      return true;
    });
    // Rows that compress well on the server are larger as text than the guess.
    await run('mount', ['-o', 'remount,size=20m', spoolDirectory]);
    await assert.rejects(take(1, { choice: { include: ['postgres'], exclude: [] } }), { code: 'NO_SPACE' });
    assert.deepEqual(await readdir(spoolDirectory), ['lock']);
    assert.deepEqual(await vault.listSnapshots(COMPONENT), []);
  } finally {
    // Before the hooks, which remove the directory that it lies on.
    await run('umount', [spoolDirectory]);
  }
});

test('a dump that waits for a lock and is killed leaves its spool, which the next attempt of the same snapshot removes', async (t) => {
  const { server, made, spoolDirectory, take } = await setting(t, 17);
  await server.query('create table held as select generate_series(1, 1000) as n');
  await server.query('create database another');
  const release = await blockTable(server, 'held');
  const program = path.resolve(import.meta.dirname, '..', 'support', 'dump-and-die.ts');
  const child = await start(process.execPath, [
    program,
    server.url(),
    made.keyFile,
    made.path('local'),
    spoolDirectory,
  ]);
  await waitFor('pg_dump to wait for the table', () => waiting(server));
  await child.stop({ signal: 'SIGKILL' });
  // Its programs went with it, and its lock; what it had written is still there.
  const isThere = (commands: string[]) => commands.some((command) => command.includes(spoolDirectory));
  await waitFor('its programs to be gone', async () => !isThere(await commandLines()));
  await untilFree(path.join(spoolDirectory, 'lock'));
  assert.match((await readdir(spoolDirectory)).sort().join(), /^dump-\w+,lock$/);
  await release();
  const snapshot = await take(1);
  assert.deepEqual(
    detailsOf(snapshot).databases.map(({ name }) => name),
    ['another', 'postgres'],
  );
  assert.deepEqual(await readdir(spoolDirectory), ['lock']);
});

test('a dump that waits for a lock and is cancelled ends with its program and leaves nothing', async (t) => {
  const { server, vault, spoolDirectory, take } = await setting(t, 17);
  await server.query('create table held (n int)');
  const release = await blockTable(server, 'held');
  const stop = new AbortController();
  const taking = take(2, { signal: stop.signal });
  taking.catch(() => undefined); // awaited below
  await waitFor('pg_dump to wait for the table', () => waiting(server));
  const commands = await ownCommandLines();
  assert.ok(commands.some((command) => command.includes('pg_dump') && command.includes(spoolDirectory)));
  assert.ok(!commands.some((command) => command.includes(superuserPassword)));
  stop.abort();
  await assert.rejects(taking, { code: 'CANCELLED' });
  assert.deepEqual(await readdir(spoolDirectory), ['lock']);
  assert.deepEqual(await vault.listSnapshots(COMPONENT), []);
  await release();
});

/** Until it is released. */
async function blockTable(server: ScratchPostgres, table: string): Promise<() => Promise<void>> {
  const client = new pg.Client(server.url());
  await client.connect();
  await client.query(`begin; lock table ${table}`);
  return () => client.end();
}

/** Of all processes of this machine, as anybody who is logged in can read them. */
async function commandLines(): Promise<string[]> {
  return await Promise.all((await processIds()).map(commandLineOf));
}

/** Of what was started below this process: other tests show their passwords to helpers of their own. */
async function ownCommandLines(): Promise<string[]> {
  const pids = await processIds();
  const parents = new Map(await Promise.all(pids.map(async (pid) => [pid, await parentOf(pid)] as const)));
  const isOwn = (pid: string | undefined): boolean =>
    pid !== undefined && (pid === String(process.pid) || isOwn(parents.get(pid)));
  return await Promise.all(pids.filter((pid) => isOwn(parents.get(pid))).map(commandLineOf));
}

async function processIds(): Promise<string[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
}

async function commandLineOf(pid: string): Promise<string> {
  return await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
}

async function parentOf(pid: string): Promise<string | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return /^PPid:\s*(\d+)$/m.exec(status)?.[1];
}

async function waiting(server: ScratchPostgres): Promise<boolean> {
  return (await server.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'")).length > 0;
}

test('a dump of which any file is cut off, missing or surplus is rejected', async (t) => {
  const { server } = await setting(t, 18);
  await makeRichDatabase(server, 'bank');
  const directory = path.join(await temporaryDirectory(t), 'whole');
  const args = ['--format=directory', `--file=${directory}`, '--compress=0', '--jobs=2'];
  await run(server.bin('pg_dump'), args, { env: { ...server.environment, PGDATABASE: 'bank' } });
  const tools = await findTools(18);
  const verify = (of: string) => verifyDump(tools, of, t.signal);
  const whole = await verify(directory);
  assert.ok(whole.tables >= 7, `${whole.tables} tables`);
  assert.equal(whole.largeObjects, 6);
  const mutants: [string, (file: string) => Promise<void>, (name: string) => boolean][] = [
    ['missing', (file) => rm(file), () => true],
    ['cut off', cutOff, (name) => !name.startsWith('blob_')],
    ['empty', (file) => truncate(file, 0), (name) => !name.startsWith('blob_')],
  ];
  let rejected = 0;
  for (const { name } of whole.files) {
    for (const [what, harm, concerns] of mutants) {
      if (!concerns(name)) continue;
      const mutant = path.join(path.dirname(directory), 'mutant');
      await rm(mutant, { recursive: true, force: true });
      await cp(directory, mutant, { recursive: true });
      await harm(path.join(mutant, name));
      await assert.rejects(verify(mutant), { code: 'BACKUP_INVALID' }, `${name} ${what}`);
      rejected += 1;
    }
  }
  assert.ok(rejected > 25, `${rejected} mutants`);
  await writeFile(path.join(directory, '99999.dat'), '\\.\n\n\n');
  await assert.rejects(verify(directory), { code: 'BACKUP_INVALID', message: /nothing on its list/ });
});

async function cutOff(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  const { size } = await handle.stat();
  await handle.truncate(Math.max(0, size - 4));
  await handle.close();
}
