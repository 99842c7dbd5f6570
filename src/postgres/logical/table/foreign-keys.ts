// Whether foreign keys from and to a table hold, asked for because the server itself does not look while rows are replaced.

import pg from 'pg';
import type { TableName } from '../../../domain/part.ts';
import { fail } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { TableFacts } from './table-facts.ts';
import { plainName } from './table-names.ts';

const keysSql = `select con.conname::text as name, con.conrelid::regclass::text as child, con.confrelid::regclass::text as parent,
  con.confmatchtype::text as match, con.conrelid = any($1::int8[]::oid[]) as "isOwn", c.relkind::text as kind, p.relkind::text as "parentKind",
  coalesce((to_jsonb(con)->>'conperiod')::boolean, false) as "isPeriod",
  array(select a.attname::text from unnest(con.conkey) with ordinality k(n, at) join pg_attribute a on a.attrelid = con.conrelid
    and a.attnum = k.n order by k.at) as "childColumns",
  array(select a.attname::text from unnest(con.confkey) with ordinality k(n, at) join pg_attribute a on a.attrelid = con.confrelid
    and a.attnum = k.n order by k.at) as "parentColumns",
  array(select quote_ident(n.nspname) || '.' || o.oprname from unnest(con.conpfeqop) with ordinality e(op, at)
    join pg_operator o on o.oid = e.op join pg_namespace n on n.oid = o.oprnamespace order by e.at) as operators
  from pg_constraint con join pg_class c on c.oid = con.conrelid join pg_class p on p.oid = con.confrelid
  where con.contype = 'f' and (con.conparentid = 0 or con.conrelid = $2::int8::oid) and con.convalidated
  and coalesce((to_jsonb(con)->>'conenforced')::boolean, true) and (con.conrelid = any($1::int8[]::oid[])
  or con.confrelid = any($1::int8[]::oid[]) or con.confrelid in (select relid from pg_partition_ancestors($2::int8::oid))) order by 1`;

interface ForeignKey extends Record<string, unknown> {
  readonly name: string;
  readonly child: string;
  readonly parent: string;
  readonly match: string;
  readonly isOwn: boolean;
  readonly kind: string;
  readonly parentKind: string;
  readonly isPeriod: boolean;
  readonly childColumns: readonly string[];
  readonly parentColumns: readonly string[];
  readonly operators: readonly string[];
}

/** All of them, also those of rows that were not touched. Throws `TARGET_UNFIT` with how many rows refer to nothing; then nothing is changed. */
export async function proveForeignKeys(
  plain: PlainConnection,
  table: TableName,
  { tree, oid }: TableFacts,
): Promise<number> {
  const keys = await plain.query<ForeignKey>('list foreign keys', keysSql, [tree, oid]);
  for (const key of keys) {
    if (key.isPeriod) {
      fail('TARGET_UNFIT', `the foreign key '${key.name}' is about periods, which is not compared`, {
        hint: 'load it under another name with `--as NAME`',
      });
    }
    const [row] = await plain.query<{ lost: string }>('check a foreign key', lostSql(key));
    const lost = Number(row?.lost);
    if (lost === 0) continue;
    const hint = key.isOwn
      ? `bring back ${key.parent} first, or load this one under another name with \`--as NAME\`; nothing was changed`
      : `remove those rows first, or load it under another name with \`--as NAME\`; nothing was changed`;
    const what = `${lost} rows of ${key.child} would refer to rows of ${key.parent} that are not there (foreign key '${key.name}')`;
    fail('TARGET_UNFIT', `'${plainName(table)}' cannot be replaced: ${what}`, { hint });
  }
  return keys.length;
}

/** A partitioned table's rows are all in its partitions; of others a foreign key sees their own rows alone. */
function lostSql({
  child,
  parent,
  kind,
  parentKind,
  match,
  childColumns,
  parentColumns,
  operators,
}: ForeignKey): string {
  const column = (alias: string, name: string) => `${alias}.${pg.escapeIdentifier(name)}`;
  const isGiven = childColumns
    .map((name) => `${column('fk', name)} is not null`)
    .join(match === 'f' ? ' or ' : ' and ');
  const pairs = childColumns.map(
    (name, at) => `${column('pk', parentColumns[at] ?? '')} operator(${operators[at]}) ${column('fk', name)}`,
  );
  return `select count(*)::text as lost from ${kind === 'p' ? '' : 'only '}${child} fk
    where (${isGiven}) and not exists (select from ${parentKind === 'p' ? '' : 'only '}${parent} pk where ${pairs.join(' and ')})`;
}
