// Base backups of real servers: every byte the server sent is in the vault, and nothing else is ever committed.

import assert from 'node:assert/strict';
import { mkdir, open } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { type BaseBackupRequest, type TakeBaseBackupOptions, takeBaseBackup } from '../../src/postgres/backup/index.ts';
import type { PhysicalDetails } from '../../src/postgres/types.ts';
import { run } from '../../src/process/index.ts';
import type { Vault } from '../../src/vault/index.ts';
import { fingerprint, restoreTree } from '../support/base-backup.ts';
import { giveToServer, type ScratchPostgres, startScratchPostgres } from '../support/scratch-postgres.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { COMPONENT, snapshotId, testVault } from '../support/vault.ts';

const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });

function request(number: number): BaseBackupRequest {
  return { snapshotId: snapshotId(number), component: COMPONENT, host: 'db1' };
}

/** What the log's receiver does is tested with it; here every copy has the log at once. */
function backup(server: ScratchPostgres, vault: Vault, number = 1, changes: Partial<TakeBaseBackupOptions> = {}) {
  return takeBaseBackup({
    source: { component: COMPONENT, url: server.url() },
    vault,
    request: request(number),
    waitForLog: () => Promise.resolve(),
    signal: new AbortController().signal,
    logger,
    ...changes,
  });
}

async function vaultFor(t: TestContext): Promise<Vault> {
  const made = await testVault();
  t.after(() => made[Symbol.asyncDispose]());
  return made.vault;
}

async function bank(t: TestContext, major: number): Promise<ScratchPostgres> {
  const settings = { autovacuum: 'off', shared_preload_libraries: 'pg_stat_statements', max_connections: 42 };
  const server = await startScratchPostgres(t, { major, initdb: ['--data-checksums'], settings });
  await run(server.bin('pgbench'), ['-i', '-s', '3', '-q'], { env: server.environment });
  const location = path.join(server.directory, 'elsewhere');
  await mkdir(location, { mode: 0o700 });
  await giveToServer(location);
  await server.query(`create tablespace elsewhere location '${location}'`);
  await server.query(
    'create table far tablespace elsewhere as select n, repeat(chr(65 + n % 26), 100) t from generate_series(1, 20000) n',
  );
  await server.query('create index on far (n) tablespace elsewhere');
  await server.query('vacuum analyze');
  await server.query('checkpoint');
  return server;
}

for (const major of [15, 17, 18]) {
  test(`a base backup of PostgreSQL ${major} holds what pg_basebackup yields, and pg_verifybackup accepts it`, async (t) => {
    const server = await bank(t, major);
    const vault = await vaultFor(t);
    const progress: number[] = [];
    const snapshot = await backup(server, vault, 1, { onProgress: ({ doneBytes }) => progress.push(doneBytes) });
    assert.equal(snapshot.state, 'clean');
    const details = snapshot.engine as PhysicalDetails;
    assert.equal(details.major, major);
    assert.deepEqual(details.damagedPages, []);
    assert.equal(details.pageChecksums, true);
    assert.equal(details.tablespaces.length, 1);
    assert.equal(details.recoverySettings.max_connections, 42);
    assert.deepEqual(details.sharedPreloadLibraries, ['pg_stat_statements']);
    assert.equal(details.locale.encoding, 'UTF8');
    assert.ok(snapshot.from < snapshot.to);
    assert.ok(progress.length > 3 && progress.at(-1)! > 40_000_000, `progress ended at ${progress.at(-1)}`);

    const directory = await temporaryDirectory(t);
    const restored = path.join(directory, 'restored');
    await restoreTree(vault, snapshotId(1), restored);
    const verified = await run(server.bin('pg_verifybackup'), ['-n', restored]);
    assert.match(verified.stdout, /backup successfully verified/);

    const theirs = path.join(directory, 'theirs');
    const mapping = `${path.join(server.directory, 'elsewhere')}=${path.join(directory, 'mapped')}`;
    const args = ['-D', theirs, '-X', 'none', '-c', 'fast', '-T', mapping, '--no-sync'];
    await run(server.bin('pg_basebackup'), args, { env: server.environment });
    const ours = await fingerprint(restored);
    assert.deepEqual(ours, await fingerprint(theirs));
    assert.ok([...ours.keys()].some((name) => /^pg_tblspc\/\d+\/PG_\d+_\d+\/\d+\/\d+$/.test(name)));

    // The same snapshot id again: nothing is read a second time, nothing is stored twice.
    const again = await backup(server, vault, 1);
    assert.deepEqual(again.statistics, snapshot.statistics);
    assert.equal((await vault.listSnapshots(COMPONENT)).length, 1);
    const second = await backup(server, vault, 2);
    assert.ok(
      second.statistics.newBytes < snapshot.statistics.readBytes / 20,
      `${second.statistics.newBytes} bytes are new`,
    );
  });
}

test('pages are recognised as damaged while they stream, and the snapshot is committed as damaged', async (t) => {
  const server = await bank(t, 17);
  const vault = await vaultFor(t);
  const [row] = await server.query("select pg_relation_filepath('pgbench_accounts') as file");
  await server.stop();
  const handle = await open(path.join(server.dataDirectory, row!.file!), 'r+');
  for (const block of [3, 700]) await handle.write(Buffer.from('rot'), 0, 3, block * 8192 + 4000);
  await handle.close();
  await server.start();
  const snapshot = await backup(server, vault);
  assert.equal(snapshot.state, 'damaged');
  assert.deepEqual((snapshot.engine as PhysicalDetails).damagedPages, [
    { path: row!.file, block: 3 },
    { path: row!.file, block: 700 },
  ]);
});

test('a backup that is cancelled, or whose server dies, commits nothing, and the same id succeeds later', async (t) => {
  const server = await bank(t, 15);
  const vault = await vaultFor(t);
  const controller = new AbortController();
  const onProgress = () => controller.abort();
  await assert.rejects(backup(server, vault, 1, { signal: controller.signal, onProgress }), { code: 'CANCELLED' });
  assert.deepEqual(await vault.listSnapshots(COMPONENT), []);

  let killed: Promise<void> | undefined;
  const kill = () => {
    killed ??= server.stop('immediate');
  };
  await assert.rejects(
    backup(server, vault, 1, { onProgress: kill, rateLimitBytesPerSecond: 4 * 1024 * 1024 }),
    (error: { code: string }) => ['DATABASE_UNREACHABLE', 'INTERNAL'].includes(error.code),
  );
  await killed;
  assert.deepEqual(await vault.listSnapshots(COMPONENT), []);
  await server.start();
  assert.equal((await backup(server, vault, 1)).state, 'clean');
});

/** A way to the server that ends every connection after so many bytes from it, as if all were well. */
async function cutAfter(t: TestContext, port: number, limitBytes: number): Promise<number> {
  const proxy = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1');
    let passed = 0;
    upstream.on('data', (chunk: Buffer) => {
      const rest = limitBytes - passed;
      passed += chunk.length;
      if (chunk.length < rest) client.write(chunk);
      else client.end(chunk.subarray(0, Math.max(rest, 0)), () => upstream.destroy());
    });
    client.on('data', (chunk) => upstream.write(chunk));
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.end());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => proxy.close(resolve)));
  return (proxy.address() as net.AddressInfo).port;
}

test('a stream that is cut off anywhere commits nothing', async (t) => {
  const server = await startScratchPostgres(t, { major: 17 });
  const vault = await vaultFor(t);
  const whole = await backup(server, vault, 1);
  const { sizeBytes } = whole.engine as PhysicalDetails;
  for (const share of [0.0002, 0.3, 0.97, 1]) {
    const port = await cutAfter(t, server.port, Math.floor(sizeBytes * share));
    const source = { component: COMPONENT, url: server.url().replace(`:${server.port}/`, `:${port}/`) } as const;
    await assert.rejects(backup(server, vault, 2, { source }), { code: 'DATABASE_UNREACHABLE' }, `cut at ${share}`);
  }
  assert.equal((await vault.listSnapshots(COMPONENT)).length, 1);
});

test('a snapshot waits for its log on each copy before that copy has its manifest', async (t) => {
  const server = await startScratchPostgres(t, { major: 18 });
  const made = await testVault({ copies: ['local', 'eu'], policy: { copies: 1, offsite: 0 } });
  t.after(() => made[Symbol.asyncDispose]());
  const asked: string[] = [];
  const waitForLog: TakeBaseBackupOptions['waitForLog'] = async (copy, timeline, from, to) => {
    asked.push(`${copy} ${timeline} ${from < to}`);
    if (copy === 'eu') throw new Error('no log here');
  };
  const snapshot = await backup(server, made.vault, 1, { waitForLog });
  assert.deepEqual(asked.sort(), ['eu 1 true', 'local 1 true']);
  assert.equal(snapshot.copies.local, 'present');
  assert.notEqual(snapshot.copies.eu, 'present');
});
