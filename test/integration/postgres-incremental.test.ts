// Incremental captures of real servers: each snapshot is whole, and the same files as the server's own tools make of theirs.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import type { PhysicalDetails } from '../../src/postgres/types.ts';
import { run } from '../../src/process/index.ts';
import { backupBench, fingerprint, restoreTree } from '../support/base-backup.ts';
import { giveToServer, type ScratchPostgres } from '../support/scratch-postgres.ts';
import { snapshotId } from '../support/vault.ts';

const isOwn = /^(backup_label|backup_manifest|pg_wal|global\/pg_control)$/;

async function inDatabase(server: ScratchPostgres, database: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ host: server.directory, port: server.port, user: 'postgres', database });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

const rows = (count: number) => `select n, repeat(md5(n::text), 8) t from generate_series(1, ${count}) n`;

/** What happens before the first capture, and before each one after it. */
const story: readonly ((server: ScratchPostgres, elsewhere: string) => Promise<void>)[] = [
  async (server, elsewhere) => {
    await server.query(`create tablespace elsewhere location '${elsewhere}'`);
    for (const name of ['still', 'scattered', 'shrinks', 'emptied', 'rewritten', 'dropped'])
      await server.query(`create table ${name} as ${rows(20_000)}`);
    await server.query(`create table far tablespace elsewhere as ${rows(20_000)}`);
    await server.query('create index on scattered (n)');
    await server.query('create unlogged table fleeting as select 1 a');
    await server.query('create database doomed');
    await inDatabase(server, 'doomed', `create table inside as ${rows(5_000)}`);
    await server.query('vacuum analyze');
  },
  async (server) => {
    await server.query(`insert into scattered ${rows(30_000)}`);
    await server.query("update scattered set t = 'x' where n % 97 = 0");
    await server.query('delete from shrinks where n > 4000');
    await server.query('vacuum shrinks');
    await server.query('truncate emptied');
    await server.query("update far set t = 'y' where n = 7");
    await server.query(`create table fresh as ${rows(4_000)}`);
    await server.query('drop table dropped');
    await server.query('create database newborn');
    await inDatabase(server, 'newborn', `create table inside as ${rows(3_000)}`);
  },
  async (server) => {
    await server.query('vacuum full rewritten');
    await server.query(`insert into shrinks ${rows(9_000)}`);
    await server.query(`insert into emptied ${rows(2_000)}`);
    await server.query('drop database doomed');
    await inDatabase(server, 'newborn', "update inside set t = 'z' where n % 50 = 0", 'create index on inside (t)');
    await server.query('alter table fresh set tablespace elsewhere');
    await server.query('create unlogged table fleeting_too as select 1 a');
  },
  async (server) => {
    await server.query("update scattered set t = 'w' where n % 89 = 0");
    await server.query('delete from far where n > 10000');
    await server.query('vacuum far');
    await server.query('delete from shrinks');
    await server.query('vacuum shrinks');
    await server.query('vacuum still');
  },
];

/** The server's own incremental backups, put together by `pg_combinebackup`. */
class Tools {
  readonly #server: ScratchPostgres;
  readonly #directory: string;
  readonly #elsewhere: string;
  readonly #taken: string[] = [];

  constructor(server: ScratchPostgres, directory: string, elsewhere: string) {
    this.#server = server;
    this.#directory = directory;
    this.#elsewhere = elsewhere;
  }

  /** Gives the directory. */
  async take(): Promise<string> {
    const number = this.#taken.length;
    const target = path.join(this.#directory, `theirs-${number}`);
    const before = this.#taken.at(-1);
    const args = ['-D', target, '-X', 'none', '-c', 'fast', '--no-sync', '--manifest-checksums=SHA256'];
    args.push('-T', `${this.#elsewhere}=${target}-space`);
    if (before !== undefined) args.push('--incremental', path.join(before, 'backup_manifest'));
    await run(this.#server.bin('pg_basebackup'), args, { env: this.#server.environment });
    this.#taken.push(target);
    return target;
  }

  async combine(): Promise<string> {
    const target = path.join(this.#directory, `combined-${this.#taken.length}`);
    const last = this.#taken.at(-1) as string;
    const args = ['-o', target, '--no-sync', '--manifest-checksums=SHA256', '-T', `${last}-space=${target}-space`];
    await run(this.#server.bin('pg_combinebackup'), [...args, ...this.#taken]);
    return target;
  }
}

interface Listed {
  readonly Path: string;
  readonly Size: number;
  readonly Checksum?: string;
}

async function manifestOf(directory: string): Promise<Map<string, Listed>> {
  const { Files } = JSON.parse(await readFile(path.join(directory, 'backup_manifest'), 'utf8')) as { Files: Listed[] };
  return new Map(Files.filter((file) => !isOwn.test(file.Path)).map((file) => [file.Path, file]));
}

async function bytesBelow(directory: string): Promise<number> {
  let total = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) total += (await stat(path.join(entry.parentPath, entry.name))).size;
  return total;
}

for (const major of [17, 18]) {
  test(`incremental captures of PostgreSQL ${major} three deep are what pg_combinebackup makes, and cost what changed`, async (t) => {
    const { server, vault, directory, backup, incremental } = await backupBench(t, major);
    const elsewhere = path.join(server.directory, 'elsewhere');
    await mkdir(elsewhere, { mode: 0o700 });
    await giveToServer(elsewhere);
    const tools = new Tools(server, directory, elsewhere);
    for (const [depth, chapter] of story.entries()) {
      await chapter(server, elsewhere);
      await server.query('checkpoint');
      const snapshot = await (depth === 0 ? backup(1) : incremental(depth + 1));
      const details = snapshot.engine as PhysicalDetails;
      assert.equal(details.fullBecause, undefined);
      assert.equal(details.capture, depth === 0 ? 'full' : 'incremental');
      assert.equal(details.parent, depth === 0 ? undefined : snapshotId(depth));
      assert.equal(snapshot.class, depth === 0 ? 'full' : 'incremental');
      const theirs = await tools.take();
      if (depth === 0) continue;
      const sentBytes = (await bytesBelow(theirs)) + (await bytesBelow(`${theirs}-space`));
      assert.ok(
        snapshot.statistics.newBytes < sentBytes * 1.1,
        `${snapshot.statistics.newBytes} bytes are new, pg_basebackup sent ${sentBytes}`,
      );
      t.diagnostic(`depth ${depth}: ${snapshot.statistics.newBytes} bytes new, pg_basebackup sent ${sentBytes}`);
      const combined = await tools.combine();
      const restored = path.join(directory, `depth-${depth}`, 'restored');
      await mkdir(path.dirname(restored));
      await restoreTree(vault, snapshot.id, restored);
      const ours = await fingerprint(restored);
      assert.deepEqual(ours, await fingerprint(combined));
      const label = await readFile(path.join(restored, 'backup_label'), 'utf8');
      assert.match(label, new RegExp(`^START WAL LOCATION: ${details.startLsn} `));
      assert.doesNotMatch(label, /INCREMENTAL/);
      const verified = await run(server.bin('pg_verifybackup'), ['-n', restored]);
      assert.match(verified.stdout, /backup successfully verified/);
      const [our, their] = [await manifestOf(restored), await manifestOf(combined)];
      assert.deepEqual([...our.keys()].sort(), [...their.keys()].sort());
      for (const [name, { Size, Checksum }] of our) {
        assert.equal(Size, their.get(name)?.Size, name);
        if (Checksum !== undefined) assert.equal(Checksum, their.get(name)?.Checksum, name);
      }
      assert.ok([...our.values()].some(({ Checksum }) => Checksum === undefined));
    }
  });
}
