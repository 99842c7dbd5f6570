// Carries a table that was set apart into another database: dumped by the server's own programs, loaded into a schema of passage, and compared there.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import type { RowSum, TableName } from '../../../domain/part.ts';
import { fail } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { PostgresTools } from '../../tools.ts';
import type { Source } from '../../types.ts';
import { clientEnvironment, databaseArgument, inOwnTablespace } from '../client-environment.ts';
import { runProgram } from '../client-program.ts';
import { verifyDump } from '../verify-dump.ts';
import { isEqual, rowSum } from './row-sum.ts';
import { type ClusterSeen, comparing, onProduction } from './sessions.ts';
import { lookAtTable } from './table-facts.ts';
import { passingMark, passingSchema, passingSchemasLike, quoted } from './table-names.ts';
import { hasReceivers, logTables, receiversOfNew, unlogTables } from './unpublished.ts';

export interface CarryRequest {
  readonly run: string;
  readonly estate: string;
  readonly component: string;
  /** What it is called in the schema of passage. */
  readonly as: string;
  /** Below it, what is dumped lies for a while, in clear. */
  readonly directory: string;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

export interface Extracted extends RowSum {
  /** What was summed; all of what `rows` is about. */
  readonly columns: readonly string[];
  readonly tables: number;
  /** Default: a table. */
  readonly extent?: Extent;
}

/** `only rows`: neither indexes nor constraints, for rows that move on into a table that is there. */
export type Extent = 'table' | 'only rows';

/** Dumps what was set apart, proves the dump whole, and sums the rows of `columns`. What an earlier attempt left is removed first. */
export async function extractApart(
  own: Source,
  tools: PostgresTools,
  request: CarryRequest,
  { columns, extent }: { readonly columns: readonly string[]; readonly extent: Extent },
): Promise<Extracted> {
  const { run, as, directory, jobs, signal } = request;
  const dump = dumpDirectory(directory);
  await rm(dump, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const sections = extent === 'only rows' ? ['--section=pre-data', '--section=data'] : [];
  const args = [
    ...[
      '--format=directory',
      `--file=${dump}`,
      `--jobs=${jobs}`,
      '--compress=0',
      `--schema=${passingSchema(run)}`,
      ...sections,
    ],
    ...['--no-owner', '--no-privileges', '--no-publications', '--no-subscriptions', '--no-security-labels'],
    '--no-password',
  ];
  await runProgram(tools, 'pg_dump', args, { client: clientEnvironment(own), signal });
  const { tables } = await verifyDump(tools, dump, signal);
  const sum = await comparing(
    own,
    (plain) => rowSum(plain, quoted({ schema: passingSchema(run), table: as }), columns),
    signal,
  );
  return { ...sum, columns, tables, extent };
}

const dumpDirectory = (directory: string) => path.join(directory, 'table');

/**
 * Fills the schema of passage and compares the rows with what was extracted. What an earlier attempt, or a run of the component that was
 * ended from outside, has left is dropped first. Nobody is sent the rows: rows that only pass are never logged, and a table is made permanent when it is
 * full, where somebody would be. Throws `RECOVERY_MISMATCH`, `TARGET_UNFIT`, and what pg_restore complains of.
 */
export async function loadApart(
  target: Source,
  expected: ClusterSeen,
  tools: PostgresTools,
  request: CarryRequest,
  extracted: Extracted,
): Promise<void> {
  const { run, as, directory, signal } = request;
  const schema = passingSchema(run);
  const isPassing = extracted.extent === 'only rows';
  const isUnlogged = await onProduction(target, expected, async (plain) => {
    await dropPassing(plain, request);
    await plain.query('make a schema', `create schema ${pg.escapeIdentifier(schema)}`);
    const mark = pg.escapeLiteral(passingMark(request));
    await plain.query('mark the schema', `comment on schema ${pg.escapeIdentifier(schema)} is ${mark}`);
    return isPassing || hasReceivers(await receiversOfNew(plain, schema));
  });
  const dump = dumpDirectory(directory);
  const { entries } = await verifyDump(tools, dump, signal);
  const list = path.join(directory, 'table.list');
  // The schema is there, made by a session that had proved which cluster this is: elsewhere the programs find none.
  const lines = entries.filter(({ kind }) => kind !== 'SCHEMA').map(({ line }) => line);
  await writeFile(list, `${lines.join('\n')}\n`, { mode: 0o600 });
  await restoreSections(target, tools, request, list, ['pre-data']);
  if (isUnlogged) await onProduction(target, expected, (plain) => unlogTables(plain, schema), signal);
  await restoreSections(target, tools, request, list, ['data', 'post-data']);
  const finish = async (plain: PlainConnection) => {
    if (isUnlogged && !isPassing) await logTables(plain, schema);
    await compareApart(plain, { schema, table: as }, extracted);
  };
  await onProduction(target, expected, finish, signal);
}

async function restoreSections(
  target: Source,
  tools: PostgresTools,
  { directory, jobs, signal }: CarryRequest,
  list: string,
  sections: readonly string[],
): Promise<void> {
  const args = [
    ...['--exit-on-error', '--no-password', '--no-owner', '--no-privileges', '--no-tablespaces'],
    ...sections.map((section) => `--section=${section}`),
    ...[`--jobs=${jobs}`, `--use-list=${list}`, databaseArgument(target.database ?? ''), dumpDirectory(directory)],
  ];
  await runProgram(tools, 'pg_restore', args, { client: inOwnTablespace(clientEnvironment(target)), signal });
}

/** Throws `RECOVERY_MISMATCH`: what arrived is not what was taken. */
export async function compareApart(plain: PlainConnection, table: TableName, extracted: Extracted): Promise<void> {
  if ((await lookAtTable(plain, table)) === undefined)
    fail('RECOVERY_MISMATCH', 'the table is not there after it was loaded');
  const found = await rowSum(plain, quoted(table), extracted.columns);
  if (isEqual(found, extracted)) return;
  fail(
    'RECOVERY_MISMATCH',
    `${found.rows} rows arrived with the sum ${found.sum}, ${extracted.rows} were taken with ${extracted.sum}`,
    {
      hint: 'nothing was changed; start it again',
    },
  );
}

/** Of this run and of those of the component that have ended. Never one without our mark, or one that another role has loaded. */
export async function dropPassing(
  plain: PlainConnection,
  request: Pick<CarryRequest, 'estate' | 'component' | 'run'>,
): Promise<void> {
  const sql = `select nspname::text as name from pg_namespace where nspname ~ $1 and obj_description(oid, 'pg_namespace') = $2
    and pg_has_role(nspowner, 'usage')`;
  const found = await plain.query<{ name: string }>('look for what was left', sql, [
    passingSchemasLike(request.run),
    passingMark(request),
  ]);
  for (const { name } of found) {
    await plain.query('end who still loads', loadersSql, [name]);
    await plain.query('drop what was left', `drop schema ${pg.escapeIdentifier(name)} cascade`);
  }
}

/**
 * Sessions of programs that were killed: one that makes an index notices it only when it is made. Whoever makes a table, which nobody else sees yet,
 * holds the schema.
 */
const loadersSql = `with own as (select oid from pg_database where datname = current_database()), passing as (
    select oid from pg_namespace where nspname = $1)
  select pg_terminate_backend(pid) as told from pg_stat_activity where application_name = 'holdfast'
    and usename = current_user and datname = current_database() and pid <> pg_backend_pid() and pid in (
      select l.pid from pg_locks l join pg_class c on c.oid = l.relation
        where l.database = (select oid from own) and c.relnamespace = (select oid from passing)
      union select l.pid from pg_locks l where l.locktype = 'object' and l.database = (select oid from own)
        and l.classid = 'pg_namespace'::regclass and l.objid = (select oid from passing))`;
