// Reads everything of a recovered server: every index against its table by pg_amcheck, and every row by a full pg_dump to nowhere.

import path from 'node:path';
import type { RecoveryCheck } from '../../domain/run-data.ts';
import { fail, toHoldfastError } from '../../errors/index.ts';
import { type ProcessResult, tryRun } from '../../process/index.ts';
import { openSession, type RecoveredServer } from './recovered-session.ts';

export interface DeepChecks {
  readonly server: RecoveredServer;
  /** Programs of the server's major version. */
  readonly binDirectory: string;
  readonly databases: readonly string[];
  readonly signal?: AbortSignal;
  readonly onDatabase?: (database: string) => void;
}

/** What the programs may print of what they found; the first lines say enough. */
const MOST_WORDS = 600;
/** A library that a role or database asks for is no part of the check, and may not be installed here. */
const PGOPTIONS = '-c session_preload_libraries= -c local_preload_libraries= -c statement_timeout=0';

/** One result for each program and database; never throws for what they find. Throws `CANCELLED`. */
export async function runDeepChecks(deep: DeepChecks): Promise<RecoveryCheck[]> {
  const checks: RecoveryCheck[] = [];
  for (const database of deep.databases) {
    deep.onDatabase?.(database);
    checks.push(await checkIndexes(deep, database), await dumpToNowhere(deep, database));
  }
  return checks;
}

/** Without the extension there is nobody to ask; putting it in would change what was recovered. */
async function checkIndexes(deep: DeepChecks, database: string): Promise<RecoveryCheck> {
  const name = `pg_amcheck ${database}`;
  const found = await lookFor(deep.server, database);
  if ('problem' in found) return { name, ok: false, value: found.problem };
  const { role, relations, hasAmcheck } = found;
  if (!hasAmcheck) {
    const value = `not done: the extension amcheck is not in this database (there: create extension amcheck)`;
    return { name, ok: true, value, notDone: true };
  }
  const result = await runClient(deep, role, database, 'pg_amcheck', ['--heapallindexed']);
  const words = wordsOf(result);
  return result.exitCode === 0
    ? { name, ok: true, value: `${relations} tables and indexes checked, every row is in its indexes` }
    : { name, ok: false, value: words };
}

async function dumpToNowhere(deep: DeepChecks, database: string): Promise<RecoveryCheck> {
  const name = `pg_dump ${database}`;
  const found = await lookFor(deep.server, database);
  if ('problem' in found) return { name, ok: false, value: found.problem };
  const result = await runClient(deep, found.role, database, 'pg_dump', ['--format=plain', '--file=/dev/null']);
  return result.exitCode === 0
    ? { name, ok: true, value: `every row and large object was read, ${found.tables} tables` }
    : { name, ok: false, value: wordsOf(result) };
}

const countSql = `
  select count(*) filter (where c.relkind in ('r', 'm'))::int as tables, count(*)::int as relations,
         exists (select from pg_extension where extname = 'amcheck') as has
    from pg_class c where c.relkind in ('r', 'm', 'i') and c.relpersistence = 'p'`;

type Found =
  | { readonly role: string; readonly tables: number; readonly relations: number; readonly hasAmcheck: boolean }
  | { readonly problem: string };

async function lookFor(server: RecoveredServer, database: string): Promise<Found> {
  try {
    const session = await openSession(server, database);
    try {
      const [row] = await session.query<{ tables: number; relations: number; has: boolean }>(countSql);
      const { tables = 0, relations = 0, has = false } = row ?? {};
      return { role: session.role, tables, relations, hasAmcheck: has };
    } finally {
      await session.close();
    }
  } catch (error) {
    return { problem: toHoldfastError(error).message };
  }
}

/** The database by its variable: as an argument a name could be read as a pattern or as more than a name. */
async function runClient(
  { server, binDirectory, signal }: DeepChecks,
  role: string,
  database: string,
  program: string,
  args: readonly string[],
): Promise<ProcessResult> {
  const env = {
    ...{ PGHOST: server.socketDirectory, PGPORT: String(server.port), PGUSER: role, PGDATABASE: database },
    ...{ PGOPTIONS, PGAPPNAME: 'holdfast', PGCONNECT_TIMEOUT: '15' },
  };
  const result = await tryRun(path.join(binDirectory, program), args, { env, ...(signal && { signal }) });
  return result.isCanceled ? fail('CANCELLED', `the checks of database '${database}' were cancelled`) : result;
}

/** What they found comes on the one stream, why they could not look on the other. */
function wordsOf({ stdout, stderrTail, exitCode }: ProcessResult): string {
  const words = `${stdout}\n${stderrTail}`.replace(/\s*\n\s*/g, '; ').replace(/^; |; $/g, '');
  return words === '' ? `it ended with ${exitCode ?? 'a signal'} and said nothing` : words.slice(0, MOST_WORDS);
}
