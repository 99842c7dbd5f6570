// In a database that is ours alone: the table and its partitions move into the schema of passage, under their new names, stripped of all that ties them to others.

import pg from 'pg';
import { closest } from '../../../domain/closest.ts';
import type { TableName } from '../../../domain/part.ts';
import { fail } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import { inTransaction } from './sessions.ts';
import { lookAtTable, type TableFacts, tablesLike } from './table-facts.ts';
import { nameUnder, passingSchema, plainName } from './table-names.ts';

export interface ApartRequest {
  readonly run: string;
  readonly table: TableName;
  /** What it is called in the schema of passage; its parts are called after it. */
  readonly as: string;
  /** When it was so, in words, for what is not there. */
  readonly moment: string;
  /** Default true. Where nothing of the database's own acts anyway, a role that may not ask for it has no need to. */
  readonly keepStill?: boolean;
}

/**
 * Idempotent: what an earlier attempt has moved is found. Triggers, rules, foreign keys, policies, rights and memberships in publications stay behind:
 * a copy that is looked at must do nothing by itself. Throws `NOT_FOUND` with the nearest name, `TARGET_UNFIT` for what is no table with rows of its own.
 */
export async function setApart(plain: PlainConnection, request: ApartRequest): Promise<TableFacts> {
  const { run, table, as, moment } = request;
  const schema = passingSchema(run);
  const moved = await lookAtTable(plain, { schema, table: as });
  if (moved !== undefined) return moved;
  const found = (await lookAtTable(plain, table)) ?? (await notThere(plain, table, moment));
  requireRows(found, table);
  // Neither triggers nor event triggers of the database may act on what follows.
  if (request.keepStill !== false) {
    await plain.query('keep its triggers still', 'set session_replication_role = replica');
  }
  await inTransaction(plain, async () => {
    await plain.query('make a schema', `create schema if not exists ${pg.escapeIdentifier(schema)}`);
    for (const sql of await statementsFor(plain, found, table, schema, as))
      await plain.query('set the table apart', sql);
    // What a partition had from the table that it was a part of is its own now.
    const inherited = await plain.query<{ sql: string }>('list foreign keys', inheritedSql, [schema]);
    for (const { sql } of inherited) await plain.query('set the table apart', sql);
  });
  return (
    (await lookAtTable(plain, { schema, table: as })) ?? fail('INTERNAL', 'the table is not where it was moved to')
  );
}

async function notThere(plain: PlainConnection, table: TableName, moment: string): Promise<never> {
  const known = await tablesLike(plain, table);
  const near = known.find((name) => name.endsWith(`.${table.table}`)) ?? closest(plainName(table), known);
  return fail('NOT_FOUND', `there was no table '${plainName(table)}' ${moment}`, {
    hint: near === undefined ? 'choose another moment' : `did you mean '${near}'? or choose another moment`,
  });
}

const otherKinds: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
  i: 'an index',
  c: 'a type',
};

/** Throws `TARGET_UNFIT` for what has no rows that a recovery brings back. */
export function requireRows({ kind, isUnlogged, hasForeignParts, ofExtension }: TableFacts, table: TableName): void {
  const name = `'${plainName(table)}'`;
  if (kind !== 'r' && kind !== 'p')
    fail('TARGET_UNFIT', `${name} is ${otherKinds[kind] ?? 'no table'}, not a table`, { hint: 'name a table' });
  if (ofExtension)
    fail('TARGET_UNFIT', `${name} belongs to an extension, which makes it by itself`, {
      hint: 'recover beside with `--start` and look at it there',
    });
  if (hasForeignParts)
    fail('TARGET_UNFIT', `${name} has partitions that are foreign tables: their rows are elsewhere`, {
      hint: 'name the partitions that have rows here',
    });
  if (!isUnlogged) return;
  fail('TARGET_UNFIT', `${name} is unlogged: neither base backup nor log has its rows`, {
    hint: 'a dump has them: `--to dump:latest`',
  });
}

const inheritedSql = `select format('alter table %s drop constraint %I', conrelid::regclass, conname) as sql
  from pg_constraint c join pg_namespace n on n.oid = c.connamespace where contype = 'f' and conparentid = 0 and nspname = $1`;

const partsSql = `with tree as (select unnest($1::int8[])::oid as oid)
  select array(select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint
      where contype = 'f' and conparentid = 0 and (conrelid in (select oid from tree) or confrelid in (select oid from tree)
        or confrelid in (select relid from pg_partition_ancestors($2::int8::oid)))) as keys,
    array(select format('drop trigger %I on %s', tgname, tgrelid::regclass) from pg_trigger
      where tgrelid in (select oid from tree) and not tgisinternal and tgparentid = 0) as triggers,
    array(select format('drop rule %I on %s', rulename, ev_class::regclass) from pg_rewrite
      where ev_class in (select oid from tree) and rulename <> '_RETURN') as rules,
    array(select format('drop policy %I on %s', polname, polrelid::regclass) from pg_policy where polrelid in (select oid from tree)) as policies,
    array(select format(case when c.relispartition then 'alter table %s detach partition %s' else 'alter table %2$s no inherit %1$s' end,
        inhparent::regclass, inhrelid::regclass) from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where inhrelid = $2::int8::oid or (inhparent = $2::int8::oid and not c.relispartition)) as ties,
    array(select oid::regclass::text from tree) as tables`;

const ownSql = `with tree as (select unnest($1::int8[])::oid as oid)
  select c.oid::regclass::text as place, c.relname::text as name, c.relkind::text as kind from pg_class c
    where c.oid in (select oid from tree) or c.oid in (select indexrelid from pg_index where indrelid in (select oid from tree))
    or (c.relkind = 'S' and c.oid in (select objid from pg_depend where classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass
      and refobjid in (select oid from tree) and deptype in ('a', 'i')))
  union all select format('%I.%I', n.nspname, stxname), stxname::text, 'x' from pg_statistic_ext s join pg_namespace n on n.oid = s.stxnamespace
    where stxrelid in (select oid from tree) order by 1`;

interface Parts extends Record<string, readonly string[]> {
  readonly keys: readonly string[];
  readonly triggers: readonly string[];
  readonly rules: readonly string[];
  readonly policies: readonly string[];
  readonly ties: readonly string[];
  readonly tables: readonly string[];
}

const words: Readonly<Record<string, string>> = {
  r: 'table',
  p: 'table',
  f: 'table',
  i: 'index',
  I: 'index',
  S: 'sequence',
  x: 'statistics',
};

async function statementsFor(
  plain: PlainConnection,
  { oid, tree }: TableFacts,
  { table }: TableName,
  schema: string,
  as: string,
): Promise<readonly string[]> {
  const [parts] = await plain.query<Parts>('list what ties it', partsSql, [tree, oid]);
  const own = await plain.query<{ place: string; name: string; kind: string }>('list what is its own', ownSql, [tree]);
  const { keys = [], triggers = [], rules = [], policies = [], ties = [], tables = [] } = parts ?? {};
  const to = pg.escapeIdentifier(schema);
  // By way of names that nobody has: partitions of one name may lie in several schemas, and what it is to be called may be a part's name now.
  const moves = newNames(own, table, as).map(({ place, kind, name }, index) => {
    const between = `holdfast_${index}`;
    const word = words[kind];
    const there = `alter ${word} ${place.slice(0, lastDot(place))}.${between} set schema ${to}`;
    return {
      away: `alter ${word} ${place} rename to ${between}`,
      // What belongs to a table goes with it.
      there: word === 'table' || word === 'statistics' ? [there] : [],
      called: `alter ${word} ${to}.${between} rename to ${pg.escapeIdentifier(name)}`,
    };
  });
  return [
    ...[...keys, ...triggers, ...rules, ...policies, ...ties],
    ...tables.map((name) => `alter table ${name} disable row level security, no force row level security`),
    ...moves.map(({ away }) => away),
    ...moves.flatMap(({ there }) => there),
    ...moves.map(({ called }) => called),
  ];
}

/** The dot between schema and name of a qualified, quoted name. */
function lastDot(place: string): number {
  let isQuoted = false;
  for (let at = 0; at < place.length; at += 1) {
    if (place[at] === '"') isQuoted = !isQuoted;
    else if (place[at] === '.' && !isQuoted) return at;
  }
  return -1;
}

type Own = { readonly place: string; readonly name: string; readonly kind: string };

/** Two parts that would be called the same are told apart by a number. */
function newNames(own: readonly Own[], table: string, as: string): readonly Own[] {
  const taken = new Set<string>();
  return own.map((part) => {
    const first = nameUnder(part.name, table, as);
    let name = first;
    for (let number = 2; taken.has(`${part.kind === 'x'} ${name}`); number += 1)
      name = nameUnder(`${part.name}_${number}`, table, as);
    taken.add(`${part.kind === 'x'} ${name}`);
    return { ...part, name };
  });
}
