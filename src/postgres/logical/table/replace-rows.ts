// Exchanges the rows of a table for those in the schema of passage, in one transaction that keeps the present ones aside and proves the new ones before it ends.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { TableName } from '../../../domain/part.ts';
import { fail, HoldfastError } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { Extracted } from './carry-table.ts';
import { proveUniqueness } from './deferred-uniqueness.ts';
import { fitColumns } from './fit-columns.ts';
import { proveForeignKeys } from './foreign-keys.ts';
import { closeTo, giveTo, isBroughtBack, markTable } from './give-name.ts';
import { holderHint, isLockTimeout } from './lock-timeout.ts';
import { sharesOf } from './production-room.ts';
import { isEqual, rowSum } from './row-sum.ts';
import { beOnlySession, inTransaction } from './sessions.ts';
import { columnsOf, lookAtTable, type TableFacts } from './table-facts.ts';
import { keptTable, passingSchema, plainName, quoted, tableMark } from './table-names.ts';
import { hasReceivers, receiversOfNew } from './unpublished.ts';

export interface ReplaceRequest {
  readonly run: string;
  readonly table: TableName;
  /** In words, as of when the rows are. */
  readonly about: string;
  readonly extracted: Extracted;
  readonly signal: AbortSignal;
  readonly onWaiting?: (words: string) => void;
  readonly lock?: LockTries;
  /** Asked right before it counts; throws for whoever lost the right to it. */
  readonly check?: (() => Promise<void>) | undefined;
}

export interface LockTries {
  /** Whoever waits behind us waits so long at most, and then goes first. */
  readonly waitMs: number;
  readonly tries: number;
  readonly pauseMs: number;
}

export interface ReplacedRows {
  /** Rows that are kept aside. */
  readonly kept: number;
  readonly warnings: readonly string[];
}

const LOCK: LockTries = { waitMs: 2_000, tries: 10, pauseMs: 3_000 };

/**
 * Readers go on with the rows of before until the end; writers wait for it. Done again after it was done, it changes nothing: the kept table carries
 * the run's mark. Throws `LOCKED`, `RECOVERY_MISMATCH`, `TARGET_UNFIT`; nothing is changed then.
 */
export async function replaceRows(plain: PlainConnection, request: ReplaceRequest): Promise<ReplacedRows> {
  const { run, table, signal, onWaiting, lock = LOCK, check } = request;
  const before = await replacedBefore(plain, request);
  if (before !== undefined) return before;
  const kept = keptTable(table, run);
  const mayCommit = async () => {
    signal.throwIfAborted();
    await check?.();
  };
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await inTransaction(plain, () => exchange(plain, request, kept), mayCommit);
    } catch (error) {
      if (!isLockTimeout(error)) throw explained(error, table);
      if (attempt === lock.tries) throw inUse(table, lock, error);
      onWaiting?.(
        `'${plainName(table)}' is in use: try ${attempt} of ${lock.tries} to lock it was given up after ${lock.waitMs} ms`,
      );
    }
    await sleep(lock.pauseMs, undefined, { signal });
  }
}

/** What `replaceRows` has answered, where an earlier attempt of the run has done it; from here on no other one is at it. */
export async function replacedBefore(
  plain: PlainConnection,
  { run, table, check }: Pick<ReplaceRequest, 'run' | 'table' | 'check'>,
): Promise<ReplacedRows | undefined> {
  await beOnlySession(plain, run, check);
  const kept = keptTable(table, run);
  return (await isBroughtBack(plain, kept, run)) ? await countKept(plain, kept) : undefined;
}

async function countKept(plain: PlainConnection, kept: TableName): Promise<ReplacedRows> {
  const [row] = await plain.query<{ n: string }>(
    'count what is kept',
    `select count(*)::text as n from ${quoted(kept)}`,
  );
  return { kept: Number(row?.n), warnings: [] };
}

async function exchange(plain: PlainConnection, request: ReplaceRequest, kept: TableName): Promise<ReplacedRows> {
  const { run, table, extracted, about, lock = LOCK } = request;
  await plain.query('bound the wait', `set local lock_timeout = ${lock.waitMs}`);
  const { kind } = (await lookAtTable(plain, table)) ?? gone(table);
  // Everything but plain reading waits: also the locks that foreign keys take on single rows. Tables that inherit are none of it; partitions are.
  const only = kind === 'p' ? '' : 'only ';
  await plain.query('lock the table', `lock table ${only}${quoted(table)} in exclusive mode`);
  const facts = (await lookAtTable(plain, table)) ?? gone(table);
  const passing = { schema: passingSchema(run), table: table.table };
  const source =
    (await lookAtTable(plain, passing)) ?? fail('JOURNAL_STATE', `'${passing.schema}' does not hold the rows`);
  const { columns, warnings } = fitColumns(table, await columnsOf(plain, source.oid), facts.columns);
  if (columns.join('\n') !== extracted.columns.join('\n')) {
    fail('PLAN_CHANGED', `the columns of '${plainName(table)}' were changed meanwhile`, { hint: 'start it again' });
  }
  if (needsReplica(facts)) await plain.query('keep triggers still', 'set local session_replication_role = replica');
  const own = `${facts.kind === 'p' ? '' : 'only '}${quoted(table)}`;
  const keptRows = await keepAside(plain, { own, kept, facts });
  if (extracted.rows === 0 && keptRows > 0) {
    fail(
      'TARGET_UNFIT',
      `'${plainName(table)}' held no row at that moment, and has ${keptRows} today: nothing was changed`,
      {
        hint: 'was it emptied just before that moment? Choose an earlier one; to empty it on purpose, TRUNCATE does that',
      },
    );
  }
  await plain.query('take the rows out', `delete from ${own}`);
  const list = columns.map((name) => pg.escapeIdentifier(name)).join(', ');
  // Tables without columns of their own choosing still have rows.
  const names = columns.length === 0 ? '' : ` (${list}) overriding system value`;
  if (extracted.rows > 0)
    await plain.query('put the rows in', `insert into ${quoted(table)}${names} select ${list} from ${quoted(passing)}`);
  const found = await rowSum(plain, own, extracted.columns);
  if (!isEqual(found, extracted)) {
    fail(
      'RECOVERY_MISMATCH',
      `'${plainName(table)}' would have ${found.rows} rows with the sum ${found.sum}, recovered were ${extracted.rows} with ${extracted.sum}`,
      {
        hint: 'a trigger that always fires may change them, and a crash of the server empties what only passes; nothing was changed: start it again',
      },
    );
  }
  await proveForeignKeys(plain, table, facts);
  await proveUniqueness(plain, table, facts);
  const moved = await moveSequences(plain, facts);
  await plain.query('drop the schema of passage', `drop schema ${pg.escapeIdentifier(passing.schema)} cascade`);
  await markTable(plain, kept, `rows of ${plainName(table)} before they were replaced ${about}\n${tableMark(run)}`);
  return { kept: keptRows, warnings: [...warnings, ...moved] };
}

function gone(table: TableName): never {
  return fail('TARGET_UNFIT', `'${plainName(table)}' is not there any more`, {
    hint: 'load it under another name with `--as NAME`',
  });
}

/** Rows are brought back, not written anew: what triggers and rules made of them then is as old as they are; foreign keys are asked for afterwards. */
export function needsReplica({ foreignKeys, dependencies }: TableFacts): boolean {
  return foreignKeys > 0 || dependencies.triggers.length > 0 || dependencies.rules.length > 0;
}

interface Keeping {
  readonly own: string;
  readonly kept: TableName;
  readonly facts: TableFacts;
}

/** Where the table is, whatever new ones get by default; and so that nobody is sent the rows who receives every table. */
async function keepAside(plain: PlainConnection, { own, kept, facts }: Keeping): Promise<number> {
  const name = quoted(kept);
  const [most] = await sharesOf(plain, facts.tree);
  const space = most === undefined ? '' : ` tablespace ${pg.escapeIdentifier(most.space)}`;
  const isReceived = hasReceivers(await receiversOfNew(plain, kept.schema));
  const make = `create ${isReceived ? 'unlogged ' : ''}table ${name}${space} as select * from ${own}`;
  await plain.query('keep the present rows', make);
  if (isReceived) await plain.query('keep the present rows', `alter table ${name} set logged`);
  await closeTo(plain, name);
  await giveTo(plain, name, facts.owner);
  return (await countKept(plain, kept)).kept;
}

const sequencesSql = `select s.oid::regclass::text as name, a.attname::text as column, t.oid::regclass::text as table, q.seqincrement::text as increment,
  case when t.relkind = 'p' then '' else 'only ' end as only
  from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S' join pg_sequence q on q.seqrelid = s.oid
  join pg_class t on t.oid = d.refobjid join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
  where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and t.oid = $1::int8::oid and d.deptype in ('a', 'i')
  and a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) order by 1`;

interface OwnedSequence extends Record<string, string> {
  readonly name: string;
  readonly column: string;
  readonly table: string;
  readonly increment: string;
  readonly only: string;
}

/** Never set back: a value that was given is not given again. Forward only where a row that was brought back is ahead. */
async function moveSequences(plain: PlainConnection, { oid }: TableFacts): Promise<readonly string[]> {
  const moved: string[] = [];
  for (const sequence of await plain.query<OwnedSequence>('list its sequences', sequencesSql, [oid])) {
    if (!(await isBehind(plain, sequence))) continue;
    // Whoever takes a value waits from here on, so that it cannot pass what is set.
    await plain.query('hold a sequence', `alter sequence ${sequence.name} increment by ${sequence.increment}`);
    const to = await isBehind(plain, sequence);
    if (to === undefined) continue;
    await plain.query('move a sequence forward', 'select setval($1::regclass, $2::int8)', [sequence.name, to]);
    moved.push(`the sequence ${sequence.name} was moved forward to ${to}`);
  }
  return moved;
}

async function isBehind(
  plain: PlainConnection,
  { name, column, table, increment, only }: OwnedSequence,
): Promise<string | undefined> {
  const isDown = increment.startsWith('-');
  const end = `${isDown ? 'min' : 'max'}(${pg.escapeIdentifier(column)})`;
  const sql = `select rows.at::text as at from (select ${end}::int8 as at from ${only}${table}) rows, ${name} s
    where rows.at ${isDown ? '<' : '>'} s.last_value or (rows.at = s.last_value and not s.is_called)`;
  const [row] = await plain.query<{ at: string }>('compare a sequence', sql);
  return row?.at;
}

function inUse(table: TableName, { tries, waitMs }: LockTries, cause: unknown): HoldfastError {
  return new HoldfastError(
    'LOCKED',
    `'${plainName(table)}' is in use: it could not be locked in ${tries} tries of ${waitMs} ms`,
    {
      hint: `${holderHint(table)}; nothing was changed`,
      cause,
    },
  );
}

/** What the server refuses of the rows of then. */
const refusals: Readonly<Record<string, string>> = {
  '23502': 'a column must not be empty today',
  '23503': 'a foreign key does not hold',
  '23505': 'a unique index of today does not hold',
  '23514': 'a check or a partition of today does not take a row',
  '23P01': 'an exclusion of today does not hold',
};

function explained(error: unknown, table: TableName): unknown {
  if (!(error instanceof HoldfastError)) return error;
  const why = refusals[String(error.details?.sqlstate)];
  if (why === undefined) return error;
  return new HoldfastError(
    'TARGET_UNFIT',
    `the rows of then do not fit into '${plainName(table)}' of today: ${why}: ${error.message}`,
    {
      hint: 'load it under another name with `--as NAME`; nothing was changed',
      cause: error,
    },
  );
}
