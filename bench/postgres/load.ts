// The database of the bench: pgbench's own tables and one of documents, from a seed, about 2 GB at scale 1.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { start } from '../../src/process/index.ts';
import { documentColumns, documents } from '../corpus/content/documents.ts';
import { as } from '../lib/command.ts';
import { type BenchServer, DATABASE } from './server.ts';

/** At scale 1: a fifth of pgbench's pages, which compress far better than real ones, and documents. */
const PGBENCH_SCALE = 24;
const DOCUMENTS = 1_750_000;
const LINES_AT_ONCE = 2000;

export interface CorpusFacts {
  readonly seed: string;
  readonly scale: number;
  readonly documents: number;
  readonly pgbenchScale: number;
  /** Of the whole cluster's database, as the server says. */
  readonly sizeBytes: number;
}

/** For what has to be known before there is a database. */
export function expectedBytes(scale: number): number {
  return 2_100_000_000 * scale + 100_000_000;
}

export async function loadDatabase(server: BenchServer, seed: string, scale: number): Promise<CorpusFacts> {
  const maintenance = ['--maintenance-db=postgres', DATABASE];
  await server.run([server.bin('createdb'), ...maintenance]);
  const pgbenchScale = Math.max(1, Math.round(PGBENCH_SCALE * scale));
  await server.run([server.bin('pgbench'), '--initialize', '--quiet', `--scale=${pgbenchScale}`, DATABASE]);
  const count = Math.round(DOCUMENTS * scale);
  await server.query(`create table document (${documentColumns})`);
  await copyDocuments(server, seed, count);
  await server.query('alter table document add primary key (id)');
  await server.query('create index on document (account)');
  await server.query('create index on document (created)');
  // What the tables of the log's row are told apart by, and their commits.
  await server.query(
    'create table probe (id bigserial primary key, at timestamptz not null default clock_timestamp())',
  );
  await server.query('vacuum analyze');
  await server.query('checkpoint');
  const sizeBytes = Number(await server.value(`select pg_database_size('${DATABASE}')`));
  return { seed, scale, documents: count, pgbenchScale, sizeBytes };
}

async function copyDocuments(server: BenchServer, seed: string, count: number): Promise<void> {
  const psql = [server.bin('psql'), '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1'];
  const [program, ...args] = as(server.user, [...psql, '--command=copy document from stdin']);
  const copying = await start(program as string, args, { cwd: '/', env: server.environment });
  copying.stdout?.resume();
  if (copying.stdin !== undefined) await pipeline(Readable.from(batches(seed, count)), copying.stdin);
  await copying.succeeded();
}

function* batches(seed: string, count: number): Generator<string> {
  const next = documents(seed);
  for (let left = count; left > 0; left -= LINES_AT_ONCE) {
    let text = '';
    for (let line = Math.min(left, LINES_AT_ONCE); line > 0; line--) text += next();
    yield text;
  }
}
