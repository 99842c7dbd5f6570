// Reads the facts of one database: in one instant, without changing anything, within a budget; what cannot be read is told, not thrown.

import { type ColumnName, parseColumnName } from '../../domain/column-name.ts';
import { parseLsn } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { NOT_READABLE } from '../../domain/snapshot-words.ts';
import { toHoldfastError } from '../../errors/index.ts';
import type { FactsBudget } from './budget.ts';
import { type SchemaRow, schemaSql } from './schema-digests.ts';
import { type DatabaseFacts, type MaximumFacts, type SchemaDigest, type SchemaKind, schemaKinds } from './types.ts';

export type Ask = <Row extends Record<string, unknown>>(sql: string) => Promise<Row[]>;

export interface ReadRequest {
  readonly database: string;
  /** Without the database in front. */
  readonly maximum: readonly string[];
  readonly budget: FactsBudget;
  /** Names of the tables to count; default the largest ones. */
  readonly only?: readonly string[];
  readonly signal?: AbortSignal;
  /** Nobody else is at the server: it may use all that it has. */
  readonly alone?: boolean;
}

export interface ReadFacts {
  readonly facts: DatabaseFacts;
  /** In words; absent when all was read. */
  readonly problems: readonly string[];
}

/** Larger tables are estimated: counting reads all of a table, on a server that has other things to do. */
const COUNTED_BYTES = 512 * 1024 * 1024;
/** Of one question; a table that is locked is left out sooner. */
const QUESTION_MS = 10_000;
const LOCK_MS = 1_000;

/** How values and definitions are written must not depend on who asks. Row security would hide rows, so it is an error instead. */
const settings = `set local search_path = ''; set local row_security = off; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601';
  set local timezone = 'UTC'; set local bytea_output = 'hex'; set local extra_float_digits = 1; set local xmloption = 'content';
  set local quote_all_identifiers = off; set local client_encoding = 'UTF8'; set local lock_timeout = ${LOCK_MS}`;
/** Jobs beside would each take locks of their own, and a core from somebody else. */
const inOneProcess = 'set local max_parallel_workers_per_gather = 0';

const instantSql = `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment,
  (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end)::text as lsn,
  pg_snapshot_xmin(pg_current_snapshot())::text as oldest, pg_snapshot_xmax(pg_current_snapshot())::text as next`;

/** `ask` must be in no transaction. Throws when the session breaks. */
export async function readFacts(ask: Ask, request: ReadRequest): Promise<ReadFacts> {
  await ask('begin transaction isolation level repeatable read, read only');
  try {
    return await readInTransaction(ask, request);
  } finally {
    await ask('rollback').catch(() => undefined);
  }
}

/** In a repeatable-read transaction of the caller, whose instant it is; settings of the transaction and a savepoint are left behind. */
export async function readInTransaction(ask: Ask, request: ReadRequest): Promise<ReadFacts> {
  await ask(request.alone ? settings : `${settings}; ${inOneProcess}`);
  const [instant] = await ask<{ moment: Moment; lsn: string; oldest: string; next: string }>(instantSql);
  await ask('savepoint fact');
  const reader = new Reader(ask, request);
  const schema = await reader.schema();
  const maxima = await reader.maxima();
  const { tables, notCounted } = await reader.tables();
  await ask('rollback to savepoint fact');
  const { moment, lsn, oldest, next } = instant!;
  const facts = {
    ...{ name: request.database, moment, lsn: parseLsn(lsn), oldestXid: oldest, nextXid: next },
    ...{ schema, tables, notCounted, maxima },
  };
  return { facts, problems: reader.problems };
}

interface Listed extends Record<string, unknown> {
  readonly oid: string;
  readonly name: string;
  readonly materialized: boolean;
  readonly estimate: string;
  readonly file: string;
  readonly bytes: string;
  readonly readable: boolean;
}

/** Temporary and unlogged tables are not in a recovery; of partitioned ones the parts are counted; what is an extension's, its version fills. */
const listSql = `select c.oid::int8::text as oid, quote_ident(nspname) || '.' || quote_ident(relname) as name, relkind = 'm' as materialized,
  greatest(reltuples, -1)::int8::text as estimate, relfilenode::int8::text as file,
  (relpages::int8 * current_setting('block_size')::int8)::text as bytes, has_table_privilege(c.oid, 'select') as readable
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relkind in ('r', 'm') and relpersistence = 'p' and (relkind = 'r' or relispopulated)
    and nspname !~ '^pg_' and nspname <> 'information_schema'
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  order by relpages desc, name`;

class Reader {
  readonly problems: string[] = [];
  private readonly ask: Ask;
  private readonly request: ReadRequest;
  private readonly notCounted: Record<string, number> = {};

  constructor(ask: Ask, request: ReadRequest) {
    this.ask = ask;
    this.request = request;
  }

  async schema(): Promise<DatabaseFacts['schema']> {
    const digests: Partial<Record<SchemaKind, SchemaDigest>> = {};
    for (const kind of schemaKinds) {
      const row = await this.question<SchemaRow>(schemaSql(kind));
      if ('why' in row)
        this.problems.push(`the definitions of ${kind} of database '${this.request.database}': ${row.why}`);
      else digests[kind] = row.rows[0]!;
    }
    return digests;
  }

  async maxima(): Promise<readonly MaximumFacts[]> {
    const maxima: MaximumFacts[] = [];
    for (const name of this.request.maximum) {
      const where = `the maximum of ${name} in database '${this.request.database}'`;
      const kind = await this.question<{ kind: string | null }>(kindSql(parseColumnName(name)));
      // A view is not of the database's own instant, and a foreign table not even of this server.
      if (!('why' in kind) && !['r', 'p'].includes(kind.rows[0]?.kind ?? 'r')) {
        this.problems.push(`${where}: not the column of a table`);
        continue;
      }
      const row = await this.question<{ value: string | null }>(maximumSql(parseColumnName(name)));
      if ('why' in row) this.problems.push(`${where}: ${row.why}`);
      else maxima.push({ column: name, value: row.rows[0]!.value });
    }
    return maxima;
  }

  /** The smallest first: when the time ends, as few as can be are left. */
  async tables(): Promise<Pick<DatabaseFacts, 'tables' | 'notCounted'>> {
    const { budget, only } = this.request;
    const listed = await this.question<Listed>(listSql);
    if ('why' in listed) {
      this.problems.push(`the tables of database '${this.request.database}': ${listed.why}`);
      return { tables: [], notCounted: {} };
    }
    const wanted = only && new Set(only);
    const asked = listed.rows.filter(({ name }) => wanted?.has(name) ?? true);
    const readable = asked.filter((table) => table.readable || this.leave(NOT_READABLE));
    const named = wanted === undefined ? readable.slice(0, budget.takeTables(readable.length)) : readable;
    for (const _ of readable.slice(named.length)) this.leave('smaller than those that are counted');
    const tables: DatabaseFacts['tables'][number][] = [];
    for (const table of named.reverse()) {
      const { name, materialized, bytes, estimate } = table;
      const kind = materialized ? ({ materialized } as const) : {};
      if (Number(bytes) > COUNTED_BYTES && wanted === undefined) {
        tables.push({ name, rows: Number(estimate), basis: 'estimated', ...kind });
        continue;
      }
      const rows = await this.count(table);
      if (rows !== undefined) tables.push({ name, rows, basis: 'counted', ...kind });
    }
    return { tables: tables.reverse(), notCounted: this.notCounted };
  }

  /** A table that was truncated or rewritten since the instant looks empty to it (PostgreSQL manual, "Caveats" of MVCC); its file tells. */
  private async count({ oid, name, file }: Listed): Promise<number | undefined> {
    const sql = `select (select count(*) from only ${name})::text as rows, pg_relation_filenode(${oid})::int8 is not distinct from ${file} as same`;
    const answer = await this.question<{ rows: string; same: boolean }>(sql);
    if ('why' in answer) this.leave(answer.late ? 'no time was left' : 'could not be read');
    else if (!answer.rows[0]!.same) this.leave('rewritten meanwhile');
    else return Number(answer.rows[0]!.rows);
    return undefined;
  }

  private leave(why: string): false {
    this.notCounted[why] = (this.notCounted[why] ?? 0) + 1;
    return false;
  }

  /** Going back to the savepoint lets go of the locks: thousands of tables would fill the server's table of them. */
  private async question<Row extends Record<string, unknown>>(
    sql: string,
  ): Promise<{ readonly rows: Row[] } | { readonly why: string; readonly late: boolean }> {
    const { budget, signal } = this.request;
    signal?.throwIfAborted();
    const limitMs = Math.floor(Math.min(QUESTION_MS, budget.leftMs));
    if (limitMs < 1) return { why: 'no time was left', late: true };
    await this.ask(`rollback to savepoint fact; set local statement_timeout = ${limitMs}`);
    const startedAt = performance.now();
    try {
      return { rows: await this.ask<Row>(sql) };
    } catch (error) {
      const late = performance.now() - startedAt >= limitMs;
      return { why: late ? `took longer than ${limitMs} ms` : toHoldfastError(error).message, late };
    } finally {
      budget.spend(performance.now() - startedAt);
    }
  }
}

export function maximumSql({ schema, table, column }: ColumnName): string {
  const quoted = [schema, table].map(quote).join('.');
  return `select max(${quote(column)})::text as value from ${quoted}`;
}

function kindSql({ schema, table }: ColumnName): string {
  const text = [schema, table].map(quote).join('.').replaceAll("'", "''");
  return `select (select relkind::text from pg_class where oid = to_regclass('${text}')) as kind`;
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
