// A real PostgreSQL server on loopback: its own cluster, superuser, and the least privileged role that Holdfast needs.

import { chown, open } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { findUser, type RunningProcess } from '../process/index.ts';
import { findPostgres } from './components.ts';
import { reservePorts } from './ports.ts';
import { createCluster, createHoldfastRole, newPassword } from './postgres-cluster.ts';
import { type SandboxServer, type ServerOptions, startServer, stopServer } from './server.ts';
import { makeDirectoryFor, serverUser } from './server-user.ts';

export interface PostgresOptions extends ServerOptions {
  /** Default: the newest that is set up. */
  readonly major?: number;
  /** Added to, or instead of, the sandbox's own lines in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** Power of two from 1 to 1,024; default 16. Small segments make many of them quickly. */
  readonly walSegmentSizeMb?: number;
  /** Whether pg_hba.conf has the line that lets Holdfast's role replicate; default true. */
  readonly allowReplication?: boolean;
}

export interface PostgresServer extends SandboxServer {
  readonly major: number;
  readonly version: string;
  readonly bindir: string;
  /** `<dir>/main`; its parent belongs to the server's user, so that a recovery can work beside it. */
  readonly dataDirectory: string;
  readonly port: number;
  /** As the superuser `postgres`. */
  readonly superuserUrl: string;
  /** As `holdfast`, the role with REPLICATION and little else. */
  readonly url: string;
  /** User of the operating system the server runs as; `undefined`: our own. */
  readonly runAs: string | undefined;
  /** `fast` (default) disconnects clients and writes a checkpoint; `immediate` is a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  /** Starts it again on the same data and port. */
  start(): Promise<void>;
}

/** Makes a new cluster in `<dir>/main` and starts it. Takes about 2 s. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { major, version, bindir } = await findPostgres(options.major);
  const runAs = await serverUser();
  await makeDirectoryFor(runAs, options.dir);
  const logFile = options.logFile ?? path.join(options.dir, 'server.log');
  await makeLogFile(logFile, runAs);
  const reservation = await reservePorts(1);
  const port = reservation.ports[0] as number;
  const dataDirectory = path.join(options.dir, 'main');
  const superuserPassword = newPassword();
  const password = newPassword();
  const superuserUrl = `postgres://postgres:${superuserPassword}@127.0.0.1:${port}/postgres`;
  await createCluster({ ...options, bindir, major, runAs, port, dataDirectory, superuserPassword });

  const launch = () =>
    launchPostgres({ ...options, logFile }, { version, bindir, dataDirectory, runAs, url: superuserUrl });
  let child = await launch();
  reservation.release();
  await query(superuserUrl, createHoldfastRole(major, password));
  return {
    ...{ major, version, bindir, dataDirectory, port, superuserUrl, runAs, logFile },
    url: `postgres://holdfast:${password}@127.0.0.1:${port}/postgres`,
    get identity() {
      return child.identity;
    },
    stop: (mode = 'fast') => stopServer(child.identity, postgresStop(mode)),
    start: async () => {
      child = await launch();
    },
  };
}

/** What a server is started with; `url`: as the superuser. */
export interface PostgresFacts {
  readonly version: string;
  readonly bindir: string;
  readonly dataDirectory: string;
  readonly runAs?: string | undefined;
  readonly url: string;
}

/** Starts the server of a cluster that is there, on its own port. */
export async function launchPostgres(
  { logFile, outlive, env, onSpawn }: Pick<ServerOptions, 'outlive' | 'env' | 'onSpawn'> & { readonly logFile: string },
  { version, bindir, dataDirectory, runAs, url }: PostgresFacts,
): Promise<RunningProcess> {
  return await startServer({
    ...{ name: `PostgreSQL ${version}`, command: path.join(bindir, 'postgres'), args: ['-D', dataDirectory] },
    ...{ logFile, runAs, outlive, env, onSpawn },
    probe: () => query(url, 'select 1'),
  });
}

/** How a postmaster is told to end (PostgreSQL manual, "Shutting Down the Server"). */
export function postgresStop(mode: 'fast' | 'immediate'): { signal: NodeJS.Signals; graceMs: number } {
  return { signal: mode === 'fast' ? 'SIGINT' : 'SIGQUIT', graceMs: 60_000 };
}

/** The server's user must be able to append to it, also when `pg_ctl` opens it after a recovery. */
async function makeLogFile(logFile: string, runAs: string | undefined): Promise<void> {
  await (await open(logFile, 'a', 0o640)).close();
  if (runAs === undefined) return;
  const { uid, gid } = await findUser(runAs);
  await chown(logFile, uid, gid);
}

async function query(connectionString: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
