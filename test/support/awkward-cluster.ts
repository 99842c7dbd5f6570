// A cluster as production has them and tests seldom do: its data directory is a mount point, log, tablespaces and settings are elsewhere, rows come by subscription, jobs are run.

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import pg from 'pg';
import { run } from '../../src/process/index.ts';
import { makeJobs } from './job-scheduler.ts';
import { type RecoverySource, startRecoverySource } from './recovery-source.ts';
import { giveToServer } from './scratch-postgres.ts';
import { waitFor } from './wait-for.ts';

export interface AwkwardOptions {
  readonly major: number;
  /** Whether the directory of the log is a mount point itself, or a directory in one. */
  readonly log: 'mount point' | 'directory';
}

export interface AwkwardCluster extends RecoverySource {
  /** Places of the tablespaces `apart` (a mount point) and `near` (a directory). */
  readonly tablespaces: { readonly apart: string; readonly near: string };
  readonly logDirectory: string;
  /** Puts an empty file system where the data directory is; the server must be stopped. */
  replaceDisk(): Promise<void>;
  /** Rows that have come through the cluster's own subscription, in order. */
  received(): Promise<readonly string[]>;
}

const sizeMiB = 512;
/** Each somewhere else. */
const noted = ['ledger', 'far', 'close'] as const;

/** The notes of each table, in their order and with commas between them. */
type Notes = Readonly<Record<(typeof noted)[number], string>>;

export async function writeNote({ server }: Pick<RecoverySource, 'server'>, note: string): Promise<void> {
  for (const table of noted) await server.query(`insert into ${table} (note) values ('${note}')`);
}

export async function notesIn({ server }: Pick<RecoverySource, 'server'>): Promise<Notes> {
  // The first row of the ledger is of the subscription.
  const ofTable = (table: string) =>
    `(select string_agg(note, ',' order by id) from ${table} where note like 'note %') as ${table}`;
  const [row] = await server.query(`select ${noted.map(ofTable).join(', ')}`);
  return row as Notes;
}

/** The same in each of the tables. */
export function notesOf(...notes: readonly string[]): Notes {
  const text = notes.join(',');
  return { ledger: text, far: text, close: text };
}

/**
 * Table `ledger` is in the data directory, `far` and `close` (with an index) each in a tablespace; the database `mirror` subscribes to the
 * publication `all_notes` of `ledger`; `jobs` is for a scheduler. Needs root, as mounts do.
 */
export async function startAwkwardCluster(t: TestContext, { major, log }: AwkwardOptions): Promise<AwkwardCluster> {
  const mounts: string[] = [];
  const mount = async (place: string) => {
    await mkdir(place, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=700`, 'holdfast-test', place]);
    mounts.push(place);
    await giveToServer(place);
    return place;
  };
  const places = (directory: string) => ({
    apart: path.join(directory, 'apart'),
    near: path.join(directory, 'near'),
    disk: path.join(directory, 'log'),
  });
  let logDirectory = '';
  const release = async () => {
    for (const place of mounts.splice(0).reverse()) await run('umount', [place]);
  };
  const prepare = async (directory: string) => {
    const { apart, near, disk } = places(directory);
    await mount(path.join(directory, 'data'));
    await mount(apart);
    await mkdir(near, { mode: 0o700 });
    await mount(disk);
    logDirectory = log === 'mount point' ? disk : path.join(disk, 'pg_wal');
    await giveToServer(near);
    return { initdb: [`--waldir=${logDirectory}`], release };
  };
  const source = await startRecoverySource(t, {
    major,
    prepare,
    configuration: 'etc',
    // A background worker that a library starts, and the settings of a scheduler that would be one.
    settings: { wal_level: 'logical', shared_preload_libraries: 'pg_prewarm', 'cron.database_name': 'postgres' },
  }).catch(async (error: unknown) => {
    await release();
    throw error;
  });
  const { apart, near } = places(source.server.directory);
  const { query } = source.server;
  await query(`create tablespace apart location '${apart}'`);
  await query(`create tablespace near location '${near}'`);
  await query('create table far (id serial primary key, note text) tablespace apart');
  await query('create table close (id serial primary key using index tablespace near, note text) tablespace near');
  await makeJobs(source.server);
  const mirror = await subscribe(source);
  const received = async () => (await mirror('select note from ledger order by id')).map((row) => row.note as string);
  const replaceDisk = async () => {
    const { dataDirectory } = source.server;
    await run('umount', [dataDirectory]);
    mounts.splice(mounts.indexOf(dataDirectory), 1);
    await mount(dataDirectory);
  };
  return Object.assign(source, { tablespaces: { apart, near }, logDirectory, received, replaceDisk });
}

/** In the cluster itself, so the slot must be there before: it would wait for its own transaction. */
async function subscribe({ server }: RecoverySource) {
  const { directory, port, query } = server;
  const mirror = async (sql: string) => {
    const client = new pg.Client({ host: directory, port, user: 'postgres', database: 'mirror' });
    await client.connect();
    return client
      .query(sql)
      .then(({ rows }) => rows as Record<string, string>[], fail)
      .finally(() => client.end());
  };
  await query('create publication all_notes for table ledger');
  await query("select pg_create_logical_replication_slot('mirror', 'pgoutput')");
  await query('create database mirror');
  await mirror('create table ledger (id integer primary key, note text)');
  await mirror(`create subscription mirror connection 'host=${directory} port=${port} user=postgres dbname=postgres'
                publication all_notes with (create_slot = false, slot_name = 'mirror')`);
  await query("insert into ledger (note) values ('first of all')");
  await waitFor('the first row by subscription', async () => (await mirror('select note from ledger')).length > 0);
  return mirror;
}

function fail(error: unknown): never {
  throw error;
}
