// A whole database of the recovered server under another name in production: dumped, loaded under a passing name, counted, named.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../../errors/index.ts';
import { withPlain } from '../../connection/index.ts';
import type { PostgresTools } from '../../tools.ts';
import type { Source } from '../../types.ts';
import { readToc, withoutSubscriptions } from '../archive-toc.ts';
import { inDatabase } from '../client-environment.ts';
import { dumpDatabase } from '../dump-database.ts';
import { chooseDatabases } from '../list-databases.ts';
import { type ComparedRows, compareRows } from '../load/compare-rows.ts';
import { fillPassing } from '../load/fill-passing.ts';
import { missingRoles } from '../load/globals.ts';
import { passingName } from '../load/request.ts';
import { isNamed, lookAtServer, nameDatabase } from '../load/target-database.ts';
import type { DumpedDatabase } from '../types.ts';
import type { CarryRequest } from './carry-table.ts';
import { type ClusterSeen, onProduction } from './sessions.ts';

type DatabaseRequest = Pick<CarryRequest, 'run' | 'directory' | 'jobs' | 'signal'>;

const dumpOf = (directory: string) => path.join(directory, 'database');

/** `own`: any database of the recovered server. Throws `NOT_FOUND`, `TARGET_UNFIT` for roles and extensions that production lacks. */
export async function extractDatabase(
  own: Source,
  target: Source,
  tools: PostgresTools,
  name: string,
  { directory, jobs, signal }: DatabaseRequest,
): Promise<DumpedDatabase> {
  const dump = dumpOf(directory);
  const { chosen } = await chooseDatabases(own, tools.major, { include: [], exclude: [] });
  const database = chosen.find((each) => each.name === name);
  if (database === undefined) {
    return fail('NOT_FOUND', `there was no database '${name}' at that moment`, {
      hint: `databases then: ${chosen.map((each) => each.name).join(', ')}`,
    });
  }
  await requireRoles(inDatabase(own, name), target);
  await rm(dump, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const finished = await dumpDatabase({ source: own, tools, database, jobs, directory: dump, signal });
  const { extensions } = await lookAtServer(target);
  const lacking = finished.database.extensions.filter((each) => !extensions.includes(each));
  if (lacking.length > 0) {
    fail('TARGET_UNFIT', `the server lacks extensions that the database had: ${lacking.join(', ')}`, {
      hint: 'install their packages for the major version of the server',
    });
  }
  return finished.database;
}

/** Roles that own something in the database, or are granted something. */
const rolesSql = `select distinct rolname::text as name from pg_shdepend s join pg_roles r on r.oid = s.refobjid
  where s.refclassid = 'pg_authid'::regclass and (dbid = (select oid from pg_database where datname = current_database())
  or (classid = 'pg_database'::regclass and objid = (select oid from pg_database where datname = current_database())))
  union select rolname::text from pg_db_role_setting join pg_roles r on r.oid = setrole
  where setdatabase = (select oid from pg_database where datname = current_database()) order by 1`;

async function requireRoles(own: Source, target: Source): Promise<void> {
  const roles = await withPlain(own, (plain) => plain.query<{ name: string }>('list its roles', rolesSql));
  const missing = await missingRoles(
    target,
    roles.map(({ name }) => name),
  );
  if (missing.length === 0) return;
  fail('TARGET_UNFIT', `the server lacks roles that the database had: ${missing.join(', ')}`, {
    hint: 'make them first: CREATE ROLE …; a dump brings them with `--globals`',
  });
}

export interface LoadedDatabase extends ComparedRows {
  /** In words, what of the database does not come with it. */
  readonly leftOut: readonly string[];
}

/** Under the passing name. What an attempt before this one has left there is dropped. */
export async function loadDatabase(
  target: Source,
  expected: ClusterSeen,
  tools: PostgresTools,
  database: DumpedDatabase,
  { run, directory, jobs, signal }: DatabaseRequest,
): Promise<LoadedDatabase> {
  const dump = dumpOf(directory);
  await onProduction(target, expected, async () => undefined);
  const { entries, leftOut } = withoutSubscriptions(await readToc(tools, dump, signal));
  const filling = { passing: passingName(run), entries };
  return { ...(await fillPassing({ target, tools, database, dump, jobs, signal }, filling)), leftOut };
}

/** Counts once more, then names it: a cancellation comes before the name or not at all. An attempt that was killed after that has left its mark on it. */
export async function nameLoaded(
  target: Source,
  expected: ClusterSeen,
  tools: PostgresTools,
  database: DumpedDatabase,
  { run, into, directory, signal }: Pick<DatabaseRequest, 'run' | 'directory' | 'signal'> & { readonly into: string },
): Promise<LoadedDatabase> {
  const dump = dumpOf(directory);
  const plan = { run, into };
  await onProduction(target, expected, async () => undefined);
  const { entries, leftOut } = withoutSubscriptions(await readToc(tools, dump, signal));
  const name = (await isNamed(target, plan)) ? into : passingName(run);
  const compared = await compareRows(inDatabase(target, name), dump, entries, signal);
  signal.throwIfAborted();
  await nameDatabase(target, plan, database);
  return { ...compared, leftOut };
}
