// Stands in for job schedulers: outside of the server, running jobs on whoever answers where production does; and what a server runs by itself.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { findPostmaster } from '../../src/postgres/recovery/postmaster.ts';
import { run } from '../../src/process/index.ts';
import type { ScratchPostgres } from './scratch-postgres.ts';

export interface JobScheduler {
  /** Data directories of the servers that have answered, each once. */
  readonly servers: ReadonlySet<string>;
  /** Jobs that were run and acknowledged. */
  runs(): number;
  stop(): Promise<void>;
}

/** Before the first base backup, so that every copy has the jobs too. */
export async function makeJobs({ query }: ScratchPostgres): Promise<void> {
  await query('create table jobs (name text primary key, runs int not null default 0)');
  await query("insert into jobs values ('mail to customers')");
}

/** By address and by socket in turn, each time with a connection of its own. */
export function startScheduler(server: ScratchPostgres): JobScheduler {
  const servers = new Set<string>();
  let runs = 0;
  let go = true;
  const working = (async () => {
    for (let turn = 0; go; turn += 1) {
      const place = turn % 2 === 0 ? { connectionString: server.url() } : { ...socketOf(server) };
      const directory = await runJob(place).catch(() => undefined);
      if (directory !== undefined) {
        servers.add(directory);
        runs += 1;
      }
      await sleep(50);
    }
  })();
  return {
    servers,
    runs: () => runs,
    stop: async () => {
      go = false;
      await working;
    },
  };
}

function socketOf({ directory, port }: ScratchPostgres): pg.ClientConfig {
  return { host: directory, port, user: 'postgres', database: 'postgres' };
}

async function runJob(place: pg.ClientConfig): Promise<string> {
  const client = new pg.Client({ ...place, connectionTimeoutMillis: 5_000, query_timeout: 10_000 });
  // A server that goes down ends its sessions.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query(
      "update jobs set runs = runs + 1 returning current_setting('data_directory') as directory",
    );
    return rows[0].directory as string;
  } finally {
    await client.end();
  }
}

/** Processes of a server that have somebody to reach, or something to do without being asked, as their titles tell. */
export async function workersOf(dataDirectory: string): Promise<readonly string[]> {
  const postmaster = await findPostmaster(dataDirectory);
  const { stdout } = await run('ps', ['-o', 'args=', '--ppid', String(postmaster?.identity.pid)]);
  const known = /: (archiver|walreceiver|walsender|logical replication|autoprewarm|slotsync).*/;
  const found = stdout.split('\n').flatMap((title) => known.exec(title)?.[0].slice(2).trim() ?? []);
  assert.match(stdout, /: checkpointer/, 'titles are told');
  return found;
}
