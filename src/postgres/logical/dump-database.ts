// Dumps one database: its instant is taken first and held, so that the dump, its moment and what is counted beside it are of the same state.

import path from 'node:path';
import type { Lsn } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { fail, toHoldfastError } from '../../errors/index.ts';
import { openPlain, type PlainConnection } from '../connection/index.ts';
import { type DatabaseFacts, type FactsBudget, type ReadRequest, readInTransaction } from '../facts/index.ts';
import type { PostgresTools } from '../tools.ts';
import type { Source } from '../types.ts';
import { clientEnvironment, inDatabase } from './client-environment.ts';
import { runProgram } from './client-program.ts';
import type { ListedDatabase } from './list-databases.ts';
import { readSpread } from './spread.ts';
import type { DumpedDatabase } from './types.ts';
import { type DumpFile, verifyDump } from './verify-dump.ts';

export interface DumpRequest {
  readonly source: Source;
  readonly tools: PostgresTools;
  readonly database: ListedDatabase;
  readonly jobs: number;
  /** Must not exist. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** What is noted of it; absent: nothing. */
  readonly facts?: { readonly maximum: readonly string[]; readonly budget: FactsBudget };
}

export interface FinishedDump {
  readonly database: DumpedDatabase;
  readonly files: readonly DumpFile[];
  readonly facts?: DatabaseFacts;
  /** In words, what of the facts could not be read. */
  readonly problems: readonly string[];
}

/** Counting large objects reads each one's end. */
const STATEMENT_MS = 60 * 60_000;

/** What the server would do to a session that holds its instant for hours and is idle (17 and later also limit transactions). */
const unlimitedSql = `select set_config(name, '0', false) from pg_settings
  where name in ('idle_in_transaction_session_timeout', 'transaction_timeout', 'idle_session_timeout')`;

const instantSql = `select pg_export_snapshot() as snapshot,
  to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment,
  (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text as lsn,
  (select coalesce(array_agg(extname::text order by extname), '{}') from pg_extension) as extensions`;

/**
 * Lengths by the large objects' own ends (INV_READ 0x40000, SEEK_END 2), because a dump cannot show that one was cut off. What is opened is
 * closed by going back to a savepoint, so a batch bounds the server's memory.
 */
const largeObjectSql = `select count(*)::text as count, coalesce(sum(lo_lseek64(lo_open(oid, 262144), 0, 2)), 0)::text as bytes,
  max(oid::int8)::text as last
  from (select oid from pg_largeobject_metadata where oid::int8 > $1 order by oid limit 10000) batch`;

/** Throws the `DATABASE_…` errors, `TOOL_VERSION`, `NO_SPACE`, and `BACKUP_INVALID` when what the tool left is not whole. */
export async function dumpDatabase(request: DumpRequest): Promise<FinishedDump> {
  const { source, database, signal } = request;
  const held = await openPlain(inDatabase(source, database.name), { statementMs: STATEMENT_MS });
  try {
    await held.query('lift limits of the session', unlimitedSql);
    await held.query('begin', 'begin transaction isolation level repeatable read, read only');
    const [instant] = await held.query<Instant>('take an instant', instantSql);
    signal.throwIfAborted();
    await runDump(request, instant!.snapshot);
    return await finish(request, instant!, held);
  } finally {
    await held.close();
  }
}

interface Instant {
  readonly snapshot: string;
  readonly moment: Moment;
  readonly lsn: Lsn;
  readonly extensions: readonly string[];
}

async function runDump({ source, tools, database, jobs, directory, signal }: DumpRequest, snapshot: string) {
  const args = [
    '--format=directory',
    `--file=${directory}`,
    `--jobs=${jobs}`,
    '--compress=0',
    `--snapshot=${snapshot}`,
  ];
  const client = clientEnvironment(inDatabase(source, database.name));
  await runProgram(tools, 'pg_dump', [...args, '--no-password'], { client, signal });
}

async function finish(
  { tools, database, directory, signal, facts }: DumpRequest,
  { moment, lsn, extensions }: Instant,
  held: PlainConnection,
): Promise<FinishedDump> {
  const { entries: _, files, ...found } = await verifyDump(tools, directory, signal);
  const { oid, ...listed } = database;
  await requireLargeObjects(held, found);
  const spread = await readSpread(held);
  const dumpBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const { tables, largeObjects } = found;
  const dumped: DumpedDatabase = {
    ...listed,
    path: path.posix.join('databases', String(oid)),
    ...{ moment, lsn, extensions, spread, dumpBytes, files: files.length, tables, largeObjects },
  };
  const noted = facts && (await readHeld(held, { ...facts, database: database.name, signal }));
  return { database: dumped, files, problems: [], ...noted };
}

/** In the instant of the dump, and last: a question that fails would fail the transaction of the others. */
async function readHeld(
  held: PlainConnection,
  request: ReadRequest,
): Promise<Pick<FinishedDump, 'facts' | 'problems'>> {
  try {
    return await readInTransaction((sql) => held.query('read its facts', sql), request);
  } catch (error) {
    request.signal?.throwIfAborted();
    return { problems: [`database '${request.database}': ${toHoldfastError(error).message}`] };
  }
}

async function requireLargeObjects(
  held: PlainConnection,
  { largeObjects, largeObjectBytes }: { readonly largeObjects: number; readonly largeObjectBytes: number },
): Promise<void> {
  const { count, bytes } = await measureLargeObjects(held);
  if (count === largeObjects && bytes === largeObjectBytes) return;
  fail(
    'BACKUP_INVALID',
    `the database has ${count} large objects of ${bytes} bytes, the dump ${largeObjects} of ${largeObjectBytes}`,
  );
}

async function measureLargeObjects(held: PlainConnection): Promise<{ count: number; bytes: number }> {
  const measured = { count: 0, bytes: 0 };
  await held.query('begin to measure', 'savepoint measuring');
  for (let after: string | null = '0'; after !== null; ) {
    const [row]: Batch[] = await held.query<Batch>('measure its large objects', largeObjectSql, [after]);
    measured.count += Number(row!.count);
    measured.bytes += Number(row!.bytes);
    after = row!.last;
    await held.query('close what was measured', 'rollback to savepoint measuring');
  }
  return measured;
}

interface Batch {
  readonly count: string;
  readonly bytes: string;
  readonly last: string | null;
}
