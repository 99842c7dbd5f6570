// An incremental capture that cannot be one: each reason is told, and the backup is there all the same, in full.

import assert from 'node:assert/strict';
import { open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { Lsn } from '../../src/domain/lsn.ts';
import type { Moment } from '../../src/domain/moment.ts';
import type { PhysicalDetails } from '../../src/postgres/types.ts';
import { run } from '../../src/process/index.ts';
import type { SnapshotOnCopies } from '../../src/vault/index.ts';
import { type BackupBench, backupBench, fingerprint, restoreTree } from '../support/base-backup.ts';
import { COMPONENT, inPieces, snapshotId } from '../support/vault.ts';

const PAGE_BYTES = 8192;

/** Captured in full, for this reason; the class stays what was asked for. */
function assertFull(snapshot: SnapshotOnCopies, reason: RegExp): void {
  const { capture, parent, fullBecause } = snapshot.engine as PhysicalDetails;
  assert.deepEqual([capture, parent, snapshot.class], ['full', undefined, 'incremental']);
  assert.match(fullBecause ?? '', reason);
}

function assertOver(snapshot: SnapshotOnCopies, parent: number): void {
  const details = snapshot.engine as PhysicalDetails;
  assert.equal(details.fullBecause, undefined);
  assert.deepEqual([details.capture, details.parent], ['incremental', snapshotId(parent)]);
}

interface Planted {
  readonly engine?: Partial<PhysicalDetails>;
  readonly manifest?: string;
  readonly state?: 'clean' | 'damaged';
}

/** A snapshot that says of itself what a base backup would, newer than all others. */
async function plant(
  { vault }: BackupBench,
  number: number,
  like: SnapshotOnCopies,
  { engine = {}, manifest, state = 'clean' }: Planted,
): Promise<void> {
  const to = '2099-01-01T00:00:00.000000Z' as Moment;
  const named = { id: snapshotId(number), component: COMPONENT, host: 'db1', kind: 'physical', class: 'full' } as const;
  const writer = await vault.writeSnapshot({ ...named, from: like.from });
  if (manifest !== undefined) {
    const entry = { path: 'backup_manifest', mode: 0o600, mtimeSeconds: 1 };
    await writer.addFile(entry, inPieces(Buffer.from(manifest)));
  }
  await writer.commit({ to, state, engine: { ...like.engine, ...engine } });
}

async function eachFile(directory: string, work: (file: string) => Promise<void>): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await work(path.join(entry.parentPath, entry.name));
  }
}

test('a server without incremental backups', async (t) => {
  const { backup, incremental } = await backupBench(t, 15);
  await backup(1);
  assertFull(await incremental(2), /^PostgreSQL 15 has no incremental backups, 17 is the first$/);
});

test('a server that does not summarize its log: the statement is told, and is all that it takes', async (t) => {
  const { server, backup, incremental } = await backupBench(t, 17, { summarize_wal: 'off' });
  await backup(1);
  const inFull = await incremental(2);
  assertFull(inFull, /^the server's setting 'summarize_wal' is off; run: ALTER SYSTEM SET summarize_wal = on;/);
  await server.query('alter system set summarize_wal = on');
  await server.query('select pg_reload_conf()');
  await backup(3);
  await server.query('create table later as select 1 n');
  assertOver(await incremental(4), 3);
});

test('no parent; a damaged one and one of another cluster do not hide the good one before them', async (t) => {
  const bench = await backupBench(t, 17);
  const { server, backup, incremental } = bench;
  assertFull(await incremental(1), /^there is no base backup yet$/);
  const [row] = await server.query("select pg_relation_filepath('pg_proc') as file");
  await server.stop();
  const handle = await open(path.join(server.dataDirectory, row!.file!), 'r+');
  await handle.write(Buffer.from('rot'), 0, 3, 3 * PAGE_BYTES + 4000);
  await handle.close();
  await server.start();
  const damaged = await backup(2);
  assert.equal(damaged.state, 'damaged');
  // The one before it is clean and will do: the page was never changed by the server.
  assertOver(await incremental(3), 1);
  await plant(bench, 4, damaged, { engine: { systemId: '7' } });
  assertOver(await incremental(5), 3);
});

test('a parent of another cluster, damaged, ahead of the server, with other pages, too scattered, without a manifest, or with one that the server refuses', async (t) => {
  const bench = await backupBench(t, 18);
  const like = await bench.backup(1);
  const { vault } = bench;
  const only = new Proxy(vault, {
    get: (target, name) => {
      if (name !== 'listSnapshots') return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
      return async () => (await target.listSnapshots(COMPONENT)).filter(({ to }) => to > '2099').slice(0, 1);
    },
  });
  const cases = [
    [{ engine: { systemId: '7' } }, /is of another cluster$/],
    [{ engine: { stopLsn: 'FF/0' as Lsn } }, /ends at FF\/0, ahead of the server, which is at 0\//],
    [{ engine: { timeline: 2 } }, /is on timeline 2, the server is on 1$/],
    [{ engine: { pageSizeBytes: 4096 } }, /has pages of another size$/],
    [{ engine: { chunkBytes: 100_000_000_000 } }, /^the files of base backup \S+ lie too scattered in what is stored$/],
    [{ state: 'damaged' }, /has damaged pages$/],
    [{}, /has no manifest$/],
    [{ manifest: 'no manifest\n' }, /cannot upload the parent's manifest at .*: .*(manifest|parse)/],
  ] as const;
  for (const [index, [given, reason]] of cases.entries()) {
    const number = 10 + 2 * index;
    await plant(bench, number, like, given);
    assertFull(await bench.incremental(number + 1, { vault: only }), reason);
  }
});

test('a parent that cannot be read, and a generation that is over', async (t) => {
  const { holder, incremental, backup } = await backupBench(t, 17);
  await backup(1);
  const later = await holder.reopen({ generationMs: { database: 1 } });
  t.after(() => later.close());
  assertFull(await incremental(2, { vault: later }), /is of a generation that is over$/);
  await eachFile(path.join(holder.path('local'), COMPONENT, 'generations'), async (file) => {
    if (file.includes('/packs/')) await writeFile(file, Buffer.alloc((await stat(file)).size, 1));
  });
  assertFull(await incremental(3), /^base backup \S+ cannot be read: /);
});

test('summaries of the log that were removed', async (t) => {
  const { server, backup, incremental } = await backupBench(t, 18);
  await backup(1);
  await server.query('create table later as select 1 n');
  await server.query('checkpoint');
  await server.query('alter system set summarize_wal = off');
  await server.stop();
  await eachFile(path.join(server.dataDirectory, 'pg_wal', 'summaries'), (file) => rm(file));
  await server.start();
  await server.query('create table unseen as select 1 n');
  await server.query('alter system set summarize_wal = on');
  await server.query('select pg_reload_conf()');
  await server.query('select pg_switch_wal()');
  assertFull(await incremental(2), /WAL summaries are required on timeline 1 from/);
});

test('a server that was promoted in between is on another timeline; one that was only restarted is not', async (t) => {
  const { server, backup, incremental } = await backupBench(t, 17);
  await backup(1);
  await server.query('create table before as select 1 n');
  await server.stop();
  await server.start();
  assertOver(await incremental(2), 1);
  await server.stop();
  await writeFile(path.join(server.dataDirectory, 'standby.signal'), '');
  await server.start();
  await server.query('select pg_promote()');
  assertFull(await incremental(3), /is on timeline 1, the server is on 2$/);
  await server.query('create table after as select 1 n');
  assertOver(await incremental(4), 3);
});

test('what was captured in full instead is whole, and the next one is laid over it', async (t) => {
  const { server, vault, directory, incremental } = await backupBench(t, 17);
  assertFull(await incremental(1), /^there is no base backup yet$/);
  await server.query('create table entries as select n from generate_series(1, 10000) n');
  await server.query('checkpoint');
  assertOver(await incremental(2), 1);
  const restored = path.join(directory, 'restored');
  await restoreTree(vault, snapshotId(2), restored);
  assert.ok((await fingerprint(restored)).size > 500);
  const verified = await run(server.bin('pg_verifybackup'), ['-n', restored]);
  assert.match(verified.stdout, /backup successfully verified/);
});
