// A PostgreSQL server of a chosen major that a test has for itself, on loopback, stopped and removed at the end of the test.

import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import pg from 'pg';
import { findUser, run } from '../../src/process/index.ts';
import { reservePorts } from '../../src/sandbox/ports.ts';
import { keepLog } from './keep-log.ts';
import { temporaryDirectory } from './temporary.ts';

export interface ScratchOptions {
  readonly major: number;
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly initdb?: readonly string[];
  /** Replaces the lines of pg_hba.conf; default: the superuser by socket, everybody by password from loopback. */
  readonly hba?: string;
  /** Made from this directory instead of by initdb. */
  readonly directory?: string;
  /** Before initdb, with the directory that the data directory will be in: for mounts. `release` runs after the server's stop, before the removal. */
  readonly prepare?: (directory: string) => Promise<{
    readonly initdb: readonly string[];
    readonly release: () => Promise<void>;
  }>;
  /** Directory below the server's own for `postgresql.conf` and the other settings files, as on Debian; default: the data directory. */
  readonly configuration?: string;
}

export interface ScratchPostgres {
  readonly major: number;
  readonly bin: (program: string) => string;
  readonly directory: string;
  readonly dataDirectory: string;
  /** Where `postgresql.conf` is. */
  readonly configurationDirectory: string;
  readonly port: number;
  /** By TCP with a password; the superuser is `postgres`, its password `bank-of-scratch`. */
  readonly url: (role?: string, password?: string, database?: string) => string;
  readonly query: <Row extends pg.QueryResultRow = Record<string, string>>(sql: string) => Promise<Row[]>;
  /** Environment for client programs that connect as the superuser. */
  readonly environment: Readonly<Record<string, string>>;
  start(): Promise<void>;
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
}

export const superuserPassword = 'bank-of-scratch';

const defaultHba = `local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
`;

/** Directory of the programs of one major: the distribution's, or what `npm run setup` keeps in its cache. */
export async function binDirectory(major: number): Promise<string> {
  const caches = [
    process.env.HOLDFAST_CACHE,
    '/var/cache/holdfast',
    path.join(process.env.HOME ?? '/', '.cache/holdfast'),
  ];
  for (const cache of caches) {
    if (cache === undefined) continue;
    const text = await readFile(path.join(cache, 'components.json'), 'utf8').catch(() => undefined);
    const bindir = text === undefined ? undefined : JSON.parse(text).postgres?.[major]?.bindir;
    if (typeof bindir === 'string') return bindir;
  }
  return `/usr/lib/postgresql/${major}/bin`;
}

/** Nobody else's as long as this process lives: a server is stopped and started again, and initdb alone takes seconds. */
export async function freePort(): Promise<number> {
  const { ports } = await reservePorts(1);
  return ports[0] as number;
}

/** Servers refuse to run as root. */
export const serverUser = process.getuid?.() === 0 ? { runAs: 'postgres' } : {};

export async function giveToServer(...paths: readonly string[]): Promise<void> {
  if (serverUser.runAs === undefined) return;
  const { uid, gid } = await findUser(serverUser.runAs);
  for (const file of paths) await chown(file, uid, gid);
}

export async function startScratchPostgres(t: TestContext, options: ScratchOptions): Promise<ScratchPostgres> {
  const bindir = await binDirectory(options.major);
  const bin = (program: string) => path.join(bindir, program);
  // Hooks run in the order of their registration, and the server must stop before its directory goes.
  const removals: Parameters<TestContext['after']>[0][] = [];
  const directory = await temporaryDirectory({ after: (removal) => void removals.push(removal) });
  const dataDirectory = options.directory ?? path.join(directory, 'data');
  const port = await freePort();
  await giveToServer(directory);
  const prepared = await options.prepare?.(directory);
  const initdb = [...(options.initdb ?? []), ...(prepared?.initdb ?? [])];
  if (options.directory === undefined) await initialise(bin, directory, dataDirectory, initdb);
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: directory,
    fsync: 'off',
    log_min_messages: 'warning',
    ...options.settings,
  };
  const configurationDirectory = options.configuration ? path.join(directory, options.configuration) : dataDirectory;
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'`);
  if (options.configuration) {
    await moveConfiguration(dataDirectory, configurationDirectory);
    const file = (name: string) => path.join(configurationDirectory, name);
    lines.push(`data_directory = '${dataDirectory}'`, `hba_file = '${file('pg_hba.conf')}'`);
    lines.push(`ident_file = '${file('pg_ident.conf')}'`);
  }
  for (const [name, text] of [
    ['postgresql.conf', `${lines.join('\n')}\n`],
    ['pg_hba.conf', options.hba ?? defaultHba],
  ] as const) {
    await writeFile(path.join(configurationDirectory, name), text);
    await giveToServer(path.join(configurationDirectory, name));
  }
  const logFile = path.join(directory, 'server.log');
  await writeFile(logFile, '');
  await giveToServer(logFile);
  await keepLog(logFile);
  let running = false;
  const scratch: ScratchPostgres = {
    major: options.major,
    bin,
    directory,
    dataDirectory,
    configurationDirectory,
    port,
    url: (role = 'postgres', password = superuserPassword, database = 'postgres') =>
      `postgresql://${role}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`,
    query: async (sql) => {
      const client = new pg.Client({ host: directory, port, user: 'postgres', database: 'postgres' });
      await client.connect();
      try {
        return (await client.query(sql)).rows;
      } finally {
        await client.end();
      }
    },
    environment: { PGHOST: directory, PGPORT: String(port), PGUSER: 'postgres', PGDATABASE: 'postgres' },
    start: async () => {
      const args = ['-D', configurationDirectory, '-l', logFile, '-w', '-t', '120', 'start'];
      await run(bin('pg_ctl'), args, { ...serverUser, cwd: directory, deadlineMs: 150_000 });
      running = true;
    },
    stop: async (mode = 'fast') => {
      running = false;
      const args = ['-D', dataDirectory, '-m', mode, '-w', '-t', '120', 'stop'];
      await run(bin('pg_ctl'), args, { ...serverUser, cwd: directory, deadlineMs: 150_000 });
    },
  };
  t.after(async () => {
    if (running) await scratch.stop('immediate');
    await prepared?.release();
    for (const removal of removals) await (removal as () => Promise<void>)();
  });
  await scratch.start();
  return scratch;
}

async function initialise(
  bin: (program: string) => string,
  directory: string,
  dataDirectory: string,
  initdb: readonly string[],
): Promise<void> {
  const passwordFile = path.join(directory, 'password');
  await mkdir(dataDirectory, { mode: 0o700, recursive: true });
  await writeFile(passwordFile, superuserPassword);
  await giveToServer(dataDirectory, passwordFile);
  const args = ['-D', dataDirectory, '-U', 'postgres', '--pwfile', passwordFile, '-E', 'UTF8', '--locale=C', '-N'];
  await run(bin('initdb'), [...args, ...initdb], { ...serverUser, cwd: directory });
}

/** As a distribution keeps them: nothing of it is left in the data directory. */
async function moveConfiguration(dataDirectory: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await giveToServer(to);
  for (const name of ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf']) {
    await run('mv', [path.join(dataDirectory, name), to]);
  }
}

/** Gives a directory and everything in it to the server's user. */
export async function chownTree(directory: string): Promise<void> {
  if (serverUser.runAs !== undefined) await run('chown', ['-R', `${serverUser.runAs}:`, directory]);
}
