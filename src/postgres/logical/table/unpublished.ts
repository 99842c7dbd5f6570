// Keeps what a run writes into new tables away from those who receive every table: a subscriber that lacks one of them stops at its first row.

import type { PlainConnection } from '../../connection/index.ts';

/** Who is sent the rows of a table that is made in a schema, without being asked. */
export interface Receivers {
  readonly publications: readonly string[];
  /** Of programs that take every change of the database, whatever is published. */
  readonly slots: readonly string[];
}

const receiversSql = `select array(select pubname::text from pg_publication p where puballtables or exists (
      select from pg_publication_namespace s join pg_namespace n on n.oid = s.pnnspid where s.pnpubid = p.oid and n.nspname = $1)
    order by 1) as publications,
  array(select slot_name::text from pg_replication_slots where slot_type = 'logical' and database = current_database()
    and plugin <> 'pgoutput' order by 1) as slots`;

export async function receiversOfNew(plain: PlainConnection, schema: string): Promise<Receivers> {
  const [row] = await plain.query<Receivers & Record<string, unknown>>('ask who receives it', receiversSql, [schema]);
  return row as Receivers;
}

export function hasReceivers({ publications, slots }: Receivers): boolean {
  return publications.length > 0 || slots.length > 0;
}

/** In a schema where every table is ours. While they are empty this costs nothing; what is written into them then leaves no log. */
export async function unlogTables(plain: PlainConnection, schema: string): Promise<void> {
  await alterTables(plain, schema, 'set unlogged');
}

/** What the server writes of a table anew is logged and not decoded, because the rows are not new (PostgreSQL, `pg_class.relrewrite`). */
export async function logTables(plain: PlainConnection, schema: string): Promise<void> {
  await alterTables(plain, schema, 'set logged');
}

/** Partitioned tables have neither rows nor files. */
async function alterTables(plain: PlainConnection, schema: string, change: string): Promise<void> {
  const sql = `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relkind = 'r' order by 1`;
  for (const { name } of await plain.query<{ name: string }>('list what was made', sql, [schema]))
    await plain.query('keep it from being published', `alter table ${name} ${change}`);
}
