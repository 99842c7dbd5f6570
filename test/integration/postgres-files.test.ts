// Base backups that read the server's files at hand: the same snapshot as by the stream, and never one of files that are another server's.

import assert from 'node:assert/strict';
import { cp, mkdir, open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { BackupSession } from '../../src/postgres/backup/backup-session.ts';
import type { BecomesStream } from '../../src/postgres/backup/becomes-stream.ts';
import { findFilesAtHand, requireOwnFiles } from '../../src/postgres/backup/files-at-hand.ts';
import type { TakeBaseBackupOptions } from '../../src/postgres/backup/index.ts';
import { openReplication } from '../../src/postgres/connection/index.ts';
import { identifySystem } from '../../src/postgres/identity.ts';
import type { PhysicalDetails } from '../../src/postgres/types.ts';
import { run } from '../../src/process/index.ts';
import type { SnapshotId, SnapshotOnCopies, TreeEntry, Vault } from '../../src/vault/index.ts';
import { type BackupBench, backupBench, fingerprint, restoreTree } from '../support/base-backup.ts';
import { lastFirst } from '../support/last-first.ts';
import { chownTree, giveToServer, startScratchPostgres } from '../support/scratch-postgres.ts';
import { COMPONENT, snapshotId } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const byFiles: Partial<TakeBaseBackupOptions> = { way: 'auto' };
/** What differs between two backups of a server that does nothing. */
const isOwn = /^(backup_label|backup_manifest|global\/pg_control)$/;

function detailsOf(snapshot: SnapshotOnCopies): PhysicalDetails {
  return snapshot.engine as PhysicalDetails;
}

function assertFiles(snapshot: SnapshotOnCopies): void {
  const { way, streamBecause, capture } = detailsOf(snapshot);
  assert.deepEqual([way, streamBecause, capture], ['files', undefined, 'full']);
}

/** A relation of several slices, small ones, a tablespace, what is left out, and nothing that moves. */
async function fill({ server }: BackupBench): Promise<void> {
  const location = path.join(server.directory, 'elsewhere');
  await mkdir(location, { mode: 0o700 });
  await giveToServer(location);
  await run(server.bin('pgbench'), ['-i', '-s', '1', '-q'], { env: server.environment });
  await server.query(`create tablespace elsewhere location '${location}'`);
  await server.query(
    'create table far tablespace elsewhere as select n, repeat(chr(65 + n % 26), 100) t from generate_series(1, 9000) n',
  );
  await server.query('create unlogged table fleeting as select n from generate_series(1, 9000) n');
  await server.query('vacuum analyze');
  await server.query('checkpoint');
}

/** A checkpoint writes small files anew: only those of relations keep their times. */
async function treeOf(vault: Vault, id: SnapshotId): Promise<Map<string, TreeEntry>> {
  const reader = await vault.openSnapshot(id);
  const found = new Map<string, TreeEntry>();
  for await (const entry of reader.entries()) {
    const mtimeSeconds = entry.chunking === 'pages' ? entry.mtimeSeconds : 0;
    if (!isOwn.test(entry.path)) found.set(entry.path, { ...entry, mtimeSeconds });
  }
  reader.close();
  return new Map([...found].sort());
}

async function comparable(bench: BackupBench, snapshot: SnapshotOnCopies): Promise<string> {
  const restored = path.join(bench.directory, `restored-${snapshot.id}`, 'data');
  await mkdir(path.dirname(restored));
  await restoreTree(bench.vault, snapshot.id, restored);
  return restored;
}

for (const major of [15, 18]) {
  test(`files of PostgreSQL ${major} read at hand are the tree of the stream and of pg_basebackup, and pg_verifybackup accepts them`, async (t) => {
    const bench = await backupBench(t, major);
    const { server, vault, backup, incremental, directory } = bench;
    await fill(bench);
    const progress: number[] = [];
    const onProgress: TakeBaseBackupOptions['onProgress'] = ({ doneBytes, totalBytes }) => {
      assert.ok(doneBytes <= totalBytes);
      progress.push(doneBytes);
    };
    const streamed = await backup(1);
    assert.equal(detailsOf(streamed).way, 'stream');
    const read = await backup(2, { ...byFiles, onProgress });
    assertFiles(read);
    assert.equal(read.state, 'clean');
    assert.ok(progress.length > 3 && (progress.at(-1) ?? 0) > 20_000_000, `progress ended at ${progress.at(-1)}`);

    const [theirs, ours] = [await treeOf(vault, streamed.id), await treeOf(vault, read.id)];
    assert.deepEqual(ours, theirs);
    assert.ok([...ours.keys()].some((name) => /^pg_tblspc\/\d+\/PG_\d+_\d+\/\d+\/\d+$/.test(name)));
    assert.ok(read.statistics.newBytes < streamed.statistics.readBytes / 20, `${read.statistics.newBytes} are new`);
    const { startLsn: _, stopLsn: _stop, sizeBytes, tablespaces, way, facts, ...rest } = detailsOf(read);
    const told = detailsOf(streamed);
    assert.deepEqual(rest, { ...rest, ...Object.fromEntries(Object.keys(rest).map((key) => [key, told[key]])) });
    const counted = (from: typeof facts) =>
      from?.databases.map(({ name, tables, schema }) => ({ name, tables, schema }));
    assert.deepEqual(counted(facts), counted(told.facts));
    assert.ok(facts?.databases[0]?.tables.length);
    assert.ok(Math.abs(sizeBytes - told.sizeBytes) < 4096, `${sizeBytes} and ${told.sizeBytes} bytes`);
    assert.deepEqual(
      tablespaces.map(({ oid, location }) => [oid, location]),
      told.tablespaces.map(({ oid, location }) => [oid, location]),
    );

    const restored = await comparable(bench, read);
    const verified = await run(server.bin('pg_verifybackup'), ['-n', restored]);
    assert.match(verified.stdout, /backup successfully verified/);
    const base = path.join(directory, 'pg_basebackup');
    const mapping = `${path.join(server.directory, 'elsewhere')}=${path.join(directory, 'mapped')}`;
    const args = ['-D', base, '-X', 'none', '-c', 'fast', '-T', mapping, '--no-sync'];
    await run(server.bin('pg_basebackup'), args, { env: server.environment });
    assert.deepEqual(await fingerprint(restored), await fingerprint(base));

    if (major < 17) return;
    // A later incremental capture takes it for its parent.
    await server.query("update far set t = 'x' where n % 500 = 0");
    await server.query('create table later as select n from generate_series(1, 3000) n');
    await server.query('checkpoint');
    const laid = await incremental(3);
    assert.deepEqual([detailsOf(laid).fullBecause, detailsOf(laid).parent], [undefined, snapshotId(2)]);
    const full = await backup(4);
    assert.deepEqual(
      await fingerprint(await comparable(bench, laid)),
      await fingerprint(await comparable(bench, full)),
    );
  });
}

test('what counting rows for the facts changes on pages is no change since the backup', async (t) => {
  const { server, backup, incremental } = await backupBench(t, 18);
  await server.query('create table unread as select n, repeat(md5(n::text), 8) words from generate_series(1, 40000) n');
  await server.query('checkpoint');
  const [size] = await server.query<{ bytes: number }>("select pg_relation_size('unread')::int as bytes");
  const read = await backup(1, byFiles);
  assertFiles(read);
  const counted = detailsOf(read).facts?.databases.flatMap(({ tables }) => tables);
  assert.deepEqual(
    counted?.map(({ name, rows, basis }) => [name, rows, basis]),
    [['public.unread', 40_000, 'counted']],
  );
  const laid = await incremental(2);
  assert.equal(detailsOf(laid).fullBecause, undefined);
  const { newBytes } = laid.statistics;
  assert.ok(newBytes < (size?.bytes ?? 0) / 4, `${newBytes} bytes are new, of a table of ${size?.bytes}`);
});

/** A clock that only moves when somebody sleeps, and does something meanwhile. */
class PlayedClock {
  #nowMs = 0;
  sleptMs = 0;
  readonly #meanwhile: () => Promise<void>;
  #turn: Promise<void> = Promise.resolve();

  constructor(meanwhile: () => Promise<void> = () => Promise.resolve()) {
    this.#meanwhile = meanwhile;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(ms: number): Promise<void> {
    this.#nowMs += ms;
    this.sleptMs += ms;
    this.#turn = this.#turn.then(this.#meanwhile);
    await this.#turn;
  }
}

const MiB = 1024 * 1024;

test('whatever a server does while its files are read, the log puts right', async (test) => {
  const t = lastFirst(test);
  const bench = await backupBench(t, 18, { wal_keep_size: '1GB', log_replication_commands: 'on' });
  const { server, backup } = bench;
  await fill(bench);
  await server.query('create table grows as select n, md5(n::text) t from generate_series(1, 1000) n');
  await server.query('create table shrinks as select n, md5(n::text) t from generate_series(1, 90000) n');
  await server.query('create table comes_and_goes as select 1 n');
  await server.query('checkpoint');
  let turns = 0;
  const clock = new PlayedClock(async () => {
    turns += 1;
    await server.query(`update pgbench_accounts set abalance = abalance + ${turns} where aid % 50 = ${turns % 50}`);
    await server.query(`insert into grows select n, md5(n::text) from generate_series(1, 20000) n`);
    await server.query(`delete from shrinks where n > ${90_000 - turns * 5000}`);
    await server.query('vacuum (truncate) shrinks');
    await server.query(`drop table comes_and_goes; create table comes_and_goes as select ${turns} n`);
    if (turns % 3 === 0) await server.query('checkpoint');
  });
  const rate = { rateLimitBytesPerSecond: 4 * MiB, rateClock: clock };
  const snapshot = await backup(1, { ...byFiles, ...rate });
  assertFiles(snapshot);
  assert.equal(snapshot.state, 'clean');
  assert.ok(turns >= 5, `${turns} turns`);
  // The bucket saves up a quarter of a second, one batch is granted before it is paid for, and what we write ourselves is not read.
  const leastMs = ((snapshot.statistics.readBytes - 6 * MiB) / (4 * MiB)) * 1000;
  assert.ok(clock.sleptMs >= leastMs, `slept ${clock.sleptMs} ms of ${leastMs}`);

  await backup(2, { rateLimitBytesPerSecond: 30 * MiB });
  const log = await readFile(path.join(server.directory, 'server.log'), 'utf8');
  assert.match(log, /BASE_BACKUP \(.*MAX_RATE 30720\)/);

  const restored = await comparable(bench, snapshot);
  await server.stop();
  await cp(path.join(server.dataDirectory, 'pg_wal'), path.join(restored, 'pg_wal'), { recursive: true });
  await chownTree(path.dirname(restored));
  await run('chmod', ['a+x', bench.directory]);
  const recovered = await startScratchPostgres(t, { major: 18, directory: restored });
  await server.start();
  const dump = async ({ bin, environment }: typeof server) =>
    (
      await run(bin('pg_dump'), ['--restrict-key=same', '--no-unlogged-table-data'], {
        env: environment,
        maxStdoutBytes: 256 * MiB,
      })
    ).stdout;
  const whole = await dump(server);
  assert.ok(whole.includes('comes_and_goes'));
  assert.equal(await dump(recovered), whole);
});

interface Seen {
  readonly doneBytes: number;
  readonly ms: number;
}

/** The server settles its account eight times a second, to the millisecond. However slow this machine is, there are never more bytes than that. */
function isAhead({ doneBytes, ms }: Seen, bytesPerSecond: number): boolean {
  return doneBytes > 1.02 * bytesPerSecond * (ms / 1000) + bytesPerSecond / 8 + MiB / 8;
}

test('at no moment has the stream brought more than its rate allows', async (t) => {
  const { backup } = await backupBench(t, 18);
  const rate = 8 * MiB;
  const seen: Seen[] = [];
  const startedAt = performance.now();
  const onProgress: TakeBaseBackupOptions['onProgress'] = ({ doneBytes }) =>
    void seen.push({ doneBytes, ms: performance.now() - startedAt });
  await backup(1, { rateLimitBytesPerSecond: rate, onProgress });
  assert.ok(seen.length >= 4, `${seen.length} looks`);
  assert.deepEqual(
    seen.filter((look) => isAhead(look, rate)),
    [],
  );
  // As it would look at twice the rate.
  assert.ok(seen.slice(1).every(({ doneBytes }) => isAhead({ doneBytes, ms: (1000 * doneBytes) / (2 * rate) }, rate)));
});

test('files are read only where they are at hand, and where not, the run says why and how to mend it', async (t) => {
  const bench = await backupBench(t, 18);
  const { server, vault, backup, directory } = bench;
  await fill(bench);
  const committed = async () => (await vault.listSnapshots(COMPONENT)).map(({ id }) => id);
  const noSession = () =>
    waitFor('its session to be gone', async () => {
      const left = await server.query("select 1 from pg_stat_activity where application_name = 'holdfast'");
      return left.length === 0;
    });

  await t.test('a role that may not is told the statements, which are enough', async () => {
    await server.query("create role small login replication password 'small'");
    const source = { component: COMPONENT, url: server.url('small', 'small') } as const;
    const reason = async (number: number) =>
      detailsOf(await backup(number, { ...byFiles, source })).streamBecause ?? '';
    const statements: string[] = [];
    for (const [number, expected] of [
      /^the role does not see the data directory; run: GRANT pg_read_all_settings TO small;$/,
      /^the role may not start a backup; run: GRANT EXECUTE ON FUNCTION pg_catalog.pg_backup_start\(text, boolean\) TO small; GRANT /,
    ].entries()) {
      const told = await reason(1 + number);
      assert.match(told, expected);
      statements.push(told.slice(told.indexOf('run: ') + 5));
      await server.query(statements.at(-1) as string);
    }
    const snapshot = await backup(3, { ...byFiles, source });
    assertFiles(snapshot);
  });

  await t.test('the same directory of another server is not taken for its own', async () => {
    const source = { component: COMPONENT, url: server.url() } as const;
    const connection = await openReplication(source);
    const { systemId } = await identifySystem(connection);
    connection.close();
    await assert.rejects(findFilesAtHand(source, '1'), (error: BecomesStream) => /is of cluster/.test(error.message));
    const atHand = await findFilesAtHand(source, systemId);
    const other = path.join(directory, 'other');
    await cp(path.join(server.dataDirectory, 'global/pg_control'), path.join(other, 'global/pg_control'));
    const client = new pg.Client({ connectionString: server.url() });
    await client.connect();
    try {
      const { rows } = await client.query("select pg_backup_start('theirs', true)::text as lsn");
      const lsn = rows[0].lsn;
      await requireOwnFiles(atHand, lsn);
      await assert.rejects(
        requireOwnFiles({ ...atHand, dataDirectory: other }, lsn),
        (error: BecomesStream) => error.name === 'BecomesStream' && /cannot be seen in/.test(error.message),
      );
    } finally {
      await client.end();
    }
  });

  await t.test('when the session that holds the backup dies, or it is cancelled, nothing is committed', async () => {
    const before = await committed();
    let ended: Promise<unknown> | undefined;
    const end = () => {
      ended ??= server.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query ~ 'pg_backup_start|^select 1$' and pid <> pg_backend_pid()",
      );
    };
    // What is read waits until that was done.
    const rateClock = new PlayedClock(async () => {
      end();
      await ended;
    });
    const slowly = { ...byFiles, rateLimitBytesPerSecond: 4 * MiB, rateClock };
    await assert.rejects(backup(7, slowly), { code: 'DATABASE_UNREACHABLE' });
    assert.ok(ended, 'nothing was ended');
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    await assert.rejects(backup(7, { ...byFiles, onProgress, signal: controller.signal }), { code: 'CANCELLED' });
    assert.deepEqual(await committed(), before);
    assertFiles(await backup(7, byFiles));
  });

  await t.test(
    'a session whose server answers no more is given up, and one that is cancelled ends at once',
    async () => {
      const source = { component: COMPONENT, url: server.url() } as const;
      const stopBackend = async () => {
        const [row] = await server.query("select pid::text from pg_stat_activity where application_name = 'holdfast'");
        process.kill(Number(row?.pid), 'SIGSTOP');
        return () => process.kill(Number(row?.pid), 'SIGCONT');
      };
      const controller = new AbortController();
      const { signal } = controller;
      await noSession();
      const silent = await BackupSession.start(source, 'silent', 'fast', signal, { pingMs: 10, answerMs: 500 });
      const goOn = await stopBackend();
      await waitFor('it to be given up', async () => silent.lost.aborted);
      await silent.close();
      goOn();
      await noSession();
      const cancelled = await BackupSession.start(source, 'cancelled', 'fast', signal);
      const goOnToo = await stopBackend();
      const stopping = assert.rejects(cancelled.stop(), { code: 'CANCELLED' });
      controller.abort();
      await stopping;
      await cancelled.close();
      goOnToo();
      await noSession();
    },
  );

  await t.test('damaged pages are found by the threads, in files of one slice and of several', async () => {
    const files: string[] = [];
    for (const name of ['pgbench_accounts', 'far']) {
      const [row] = await server.query(`select pg_relation_filepath('${name}') as file`);
      files.push(row?.file ?? '');
    }
    await server.stop();
    for (const [name, blocks] of [
      [files[0], [3, 700]],
      [files[1], [5]],
    ] as const) {
      const handle = await open(path.join(server.dataDirectory, name as string), 'r+');
      for (const block of blocks) await handle.write(Buffer.from('rot'), 0, 3, block * 8192 + 4000);
      await handle.close();
    }
    await server.start();
    const snapshot = await backup(8, byFiles);
    assertFiles(snapshot);
    assert.equal(snapshot.state, 'damaged');
    assert.deepEqual(detailsOf(snapshot).damagedPages, [
      { path: files[0], block: 3 },
      { path: files[0], block: 700 },
      { path: files[1], block: 5 },
    ]);
  });
});
