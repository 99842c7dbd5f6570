// Asks the recovered server real questions: every database, its catalogue, every table, and the user's own checks.

import type { DatabaseCheck } from '../../../config/types.ts';
import type { RecoveryCheck as Check } from '../../domain/run-data.ts';
import { fail, toHoldfastError } from '../../errors/index.ts';
import type { RestoreExecution } from '../types.ts';
import { runDeepChecks } from './deep-checks.ts';
import { compareRecoveredFacts, type FactsToCompare } from './recovered-facts.ts';
import { checkIndexRoots } from './recovered-indexes.ts';
import { openSession, type RecoveredServer, type RecoveredSession } from './recovered-session.ts';

export interface ChecksToRun extends Pick<RestoreExecution, 'binDirectory' | 'deep'> {
  /** The user's own. */
  readonly own: readonly DatabaseCheck[];
  /** Absent: there is nothing to compare with. */
  readonly facts?: FactsToCompare;
  readonly signal?: AbortSignal;
  /** What it is at, in words. */
  readonly onStep?: (note: string) => void;
}

const databasesSql = 'select datname::text as name from pg_database where datallowconn order by datname';

const catalogueSql = `
  select (select count(*) from pg_class)::int as relations, (select count(*) from pg_attribute)::int as columns,
         (select count(*) from pg_type)::int as types, (select count(*) from pg_proc)::int as functions`;

const tablesSql = `
  select format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'm') and c.relpersistence = 'p' and n.nspname !~ '^pg_(toast|temp)'
     and (c.relkind = 'r' or c.relispopulated) and n.nspname <> 'information_schema'
   order by 1`;

/**
 * Throws `CHECK_FAILED` with all results in its details when any is bad, or when nothing that holds a row was read: a check
 * that looked at nothing proves nothing.
 */
export async function runChecks(
  server: RecoveredServer,
  { own, facts, deep = false, binDirectory, signal, onStep }: ChecksToRun,
): Promise<readonly Check[]> {
  const session = await openSession(server);
  const databases = await session.query<{ name: string }>(databasesSql).finally(() => session.close());
  const checks: Check[] = [];
  const names = databases.map(({ name }) => name);
  onStep?.('comparing with the facts of the backup, and reading the roots of all indexes');
  // Those wait for the disk while the other counts; neither takes a transaction number.
  const roots = checkIndexRoots(server, names);
  // It is awaited below: until then nobody would hear of a failure, and the process would end.
  roots.catch(() => undefined);
  try {
    if (facts) checks.push(...(await compareRecoveredFacts(server, facts, names, signal)));
    for (const name of names) checks.push(await readDatabase(server, name));
  } finally {
    await Promise.allSettled([roots]);
  }
  checks.push(...(await roots));
  for (const check of own) checks.push(await ownCheck(server, check));
  if (deep) {
    const onDatabase = (database: string) => onStep?.(`reading all of ${database}`);
    checks.push(
      ...(await runDeepChecks({ server, binDirectory, databases: names, onDatabase, ...(signal && { signal }) })),
    );
  }
  const bad = checks.filter(({ ok }) => !ok);
  if (databases.length === 0 || bad.length > 0) {
    const first = bad[0];
    const words =
      first === undefined ? 'the recovered server has no database' : `check '${first.name}' gave ${first.value}`;
    fail('CHECK_FAILED', words, { details: { checks } });
  }
  return checks;
}

async function readDatabase(server: RecoveredServer, database: string): Promise<Check> {
  const name = `database ${database}`;
  try {
    const session = await openSession(server, database);
    try {
      return { name, ...(await readTables(session)) };
    } finally {
      await session.close();
    }
  } catch (error) {
    return { name, ok: false, value: toHoldfastError(error).message };
  }
}

async function readTables(session: RecoveredSession): Promise<{ ok: boolean; value: string }> {
  const [catalogue] = await session.query<Record<string, number>>(catalogueSql);
  if (Object.values(catalogue ?? { none: 0 }).some((count) => count === 0))
    return { ok: false, value: 'an empty catalogue' };
  const tables = await session.query<{ name: string }>(tablesSql);
  let withRows = 0;
  for (const { name } of tables) {
    if ((await session.query(`select 1 from ${name} limit 1`)).length > 0) withRows += 1;
  }
  return { ok: withRows > 0, value: `${tables.length} tables read, ${withRows} with rows` };
}

async function ownCheck(server: RecoveredServer, { sql, expect, database }: DatabaseCheck): Promise<Check> {
  try {
    const session = await openSession(server, database);
    try {
      const [row] = await session.query<Record<string, unknown>>(sql);
      const value = row === undefined ? undefined : Object.values(row)[0];
      const text = value === null || value === undefined ? 'nothing' : String(value);
      return { name: sql, ok: meets(value, expect), value: `${text} (expected ${expect})` };
    } finally {
      await session.close();
    }
  } catch (error) {
    return { name: sql, ok: false, value: toHoldfastError(error).message };
  }
}

/** `> 0`, `>= 1`, `< 5`, `<= 5`, `!= x`, `= text`; without an operator the text itself. Nothing (no row, null) meets no expectation. */
export function meets(value: unknown, expect: string): boolean {
  if (value === null || value === undefined) return false;
  const [, operator = '=', wanted = ''] = /^\s*(>=|<=|!=|=|>|<)?\s*(.*?)\s*$/s.exec(expect) ?? [];
  const text = value instanceof Date ? value.toISOString() : String(value);
  const [left, right] = [Number(text), Number(wanted)];
  const areNumbers = text.trim() !== '' && wanted !== '' && !Number.isNaN(left) && !Number.isNaN(right);
  if (operator === '=') return areNumbers ? left === right : text === wanted;
  if (operator === '!=') return areNumbers ? left !== right : text !== wanted;
  if (!areNumbers) return false;
  const order = { '>': left > right, '>=': left >= right, '<': left < right, '<=': left <= right };
  return order[operator as keyof typeof order];
}
