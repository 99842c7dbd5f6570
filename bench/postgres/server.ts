// The server that everybody backs up: one of a chosen major, with checksums, kept below one process so that all it does can be counted.

import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { fail } from '../../src/errors/index.ts';
import { findTools } from '../../src/postgres/tools.ts';
import { findUser, type RunningProcess, run, type SystemUser, start } from '../../src/process/index.ts';
import { serverUser } from '../../src/sandbox/server-user.ts';
import { as } from '../lib/command.ts';

/** In the name of the socket alone; the TCP port is another one. */
export const DATABASE = 'bench';
const keeper = path.join(import.meta.dirname, '..', 'lib', 'keep.py');
const readyWithinMs = 120_000;

/** Nothing that happens by the clock falls into a measurement; everything that makes data durable is on. */
const settings = (major: number) => ({
  shared_buffers: '512MB',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  wal_level: 'replica',
  max_wal_senders: 10,
  max_replication_slots: 10,
  max_slot_wal_keep_size: '64GB',
  archive_mode: 'on',
  archive_command: DISCARD,
  archive_timeout: ARCHIVE_TIMEOUT_S,
  autovacuum: 'off',
  jit: 'off',
  log_min_messages: 'warning',
  ...(major >= 17 ? { summarize_wal: 'on' } : {}),
});
/** As if somebody had archived it: where nobody archives. */
export const DISCARD = '/bin/true';
/** Of the server; what a segment waits for at most that nothing fills. */
export const ARCHIVE_TIMEOUT_S = 60;

export class BenchServer {
  readonly major: number;
  readonly version: string;
  readonly directory: string;
  readonly dataDirectory: string;
  readonly port: number;
  /** `undefined` when we are not root: then the server runs as we do. */
  readonly user: SystemUser | undefined;
  readonly #binDirectory: string;
  readonly #python: string;
  #kept: RunningProcess | undefined;

  private constructor(found: {
    readonly major: number;
    readonly version: string;
    readonly binDirectory: string;
    readonly directory: string;
    readonly port: number;
    readonly user: SystemUser | undefined;
    readonly python: string;
  }) {
    this.major = found.major;
    this.version = found.version;
    this.directory = found.directory;
    this.dataDirectory = path.join(found.directory, 'data');
    this.port = found.port;
    this.user = found.user;
    this.#binDirectory = found.binDirectory;
    this.#python = found.python;
  }

  /** Makes the cluster in `directory` and starts it. Throws `TOOL_VERSION` without programs of this major. */
  static async make(directory: string, major: number, port: number, python: string): Promise<BenchServer> {
    const { binDirectory, version } = await findTools(major);
    const name = await serverUser();
    const user = name === undefined ? undefined : await findUser(name);
    const server = new BenchServer({ major, version, binDirectory, directory, port, user, python });
    await server.giveDirectory(directory);
    const initdb = [server.bin('initdb'), '-D', server.dataDirectory, '-U', 'postgres', '-E', 'UTF8', '--locale=C'];
    await server.run([...initdb, '--data-checksums', '--auth=trust', '--no-sync']);
    await server.#configure();
    await server.start();
    return server;
  }

  bin(program: string): string {
    return path.join(this.#binDirectory, program);
  }

  get pid(): number {
    return this.#kept?.pid ?? fail('INTERNAL', 'the server of the bench does not run');
  }

  /** For the programs of PostgreSQL, as the superuser by the socket. */
  get environment(): Record<string, string> {
    return { PGHOST: this.directory, PGPORT: String(this.port), PGUSER: 'postgres', PGDATABASE: DATABASE };
  }

  get url(): string {
    return `postgresql://postgres@127.0.0.1:${this.port}/${DATABASE}`;
  }

  async start(): Promise<void> {
    const logFile = path.join(this.directory, 'server.log');
    // A server whose keeper is gone ends at once.
    const end = this.user === undefined ? ['setpriv', '--pdeathsig=QUIT', '--'] : this.#endWithKeeper(this.user);
    const words = [keeper, ...end, this.bin('postgres'), '-D', this.dataDirectory];
    this.#kept = await start(this.#python, words, { cwd: '/', logFile });
    const giveUpAt = Date.now() + readyWithinMs;
    while (!(await this.#answers())) {
      if (Date.now() > giveUpAt) fail('PROCESS_TIMEOUT', `the server does not start; its log is '${logFile}'`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #endWithKeeper({ uid, gid }: SystemUser): string[] {
    return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--pdeathsig=QUIT', '--'];
  }

  async stop(): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    await kept?.stop({ graceMs: 60_000 });
  }

  async query<Row extends pg.QueryResultRow = Record<string, string>>(sql: string): Promise<Row[]> {
    return await withClient(this.environment, async (client) => (await client.query<Row>(sql)).rows);
  }

  /** One value of one row. */
  async value(sql: string): Promise<string> {
    const [row] = await this.query(sql);
    const [value] = Object.values(row ?? {});
    return String(value ?? fail('INTERNAL', `'${sql}' gave nothing`));
  }

  /** A program of PostgreSQL as the superuser, by the server's own user. */
  async run(argv: readonly string[]): Promise<string> {
    const [program, ...args] = as(this.user, argv);
    return (await run(program as string, args, { cwd: '/', env: this.environment })).stdout;
  }

  /** Changes a setting that the running server takes. */
  async set(name: string, value: string): Promise<void> {
    await this.query(`alter system set ${name} = '${value.replaceAll("'", "''")}'`);
    await this.query('select pg_reload_conf()');
  }

  /** Makes a directory of the server's user, which everybody may enter. */
  async giveDirectory(...directories: readonly string[]): Promise<void> {
    for (const directory of directories) {
      await mkdir(directory, { recursive: true });
      await chmod(directory, 0o755);
      await this.give(directory);
    }
  }

  async give(file: string): Promise<void> {
    if (this.user !== undefined) await chown(file, this.user.uid, this.user.gid);
  }

  async #configure(): Promise<void> {
    const place = { listen_addresses: '127.0.0.1', port: this.port, unix_socket_directories: this.directory };
    const all = { ...settings(this.major), ...place };
    const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'`);
    await writeFile(path.join(this.dataDirectory, 'postgresql.conf'), `${lines.join('\n')}\n`);
  }

  async #answers(): Promise<boolean> {
    const maintenance = { ...this.environment, PGDATABASE: 'postgres' };
    return await withClient(maintenance, async () => true).catch(() => false);
  }
}

export async function withClient<T>(
  { PGHOST = '', PGPORT = '', PGUSER = '', PGDATABASE = '' }: Readonly<Record<string, string>>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ host: PGHOST, port: Number(PGPORT), user: PGUSER, database: PGDATABASE });
  // A server that ends while nobody asks is told by the next question.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
