// The tablespaces of a database: where it lies, and where a copy of it goes on a server that may have others.

import { fail } from '../../errors/index.ts';
import type { PlainConnection } from '../connection/index.ts';

export interface Spread {
  /** The database's own tablespace: everything that is in none of the others. */
  readonly own: string;
  /** By tablespace, what of it is elsewhere, indexes included. */
  readonly apart: readonly { readonly name: string; readonly bytes: number }[];
}

export interface Placing extends Spread {
  /** Own tablespace of a database that is made without naming one. */
  readonly ofNew: string;
  /** Tablespaces it was in that the server lacks, or in which the role may make nothing; then all of it goes into one. */
  readonly closed: readonly string[];
}

const spreadSql = `select (select spcname::text from pg_database d join pg_tablespace t on t.oid = d.dattablespace
    where datname = current_database()) as own,
  coalesce((select json_agg(json_build_object('name', name, 'bytes', bytes) order by name) from (
    select spcname::text as name, sum(coalesce(pg_relation_size(c.oid), 0) + coalesce(pg_relation_size(c.oid, 'fsm'), 0)
      + coalesce(pg_relation_size(c.oid, 'vm'), 0))::float8 as bytes
    from pg_class c join pg_tablespace t on t.oid = c.reltablespace
    where not relisshared and relpersistence <> 't' and relkind in ('r', 'p', 't', 'm', 'i', 'I', 'S') group by 1) parts), '[]') as apart`;

/** Of the database of the session. */
export async function readSpread(plain: PlainConnection): Promise<Spread> {
  const [row] = await plain.query<Spread & Record<string, unknown>>('ask for its tablespaces', spreadSql);
  return row ?? fail('INTERNAL', 'the server knows no database that we are in');
}

const openSql = `select spcname::text as name, has_tablespace_privilege(oid, 'create') as open,
  (select t.spcname::text from pg_database d join pg_tablespace t on t.oid = d.dattablespace where datname = 'template0') as "ofNew"
  from pg_tablespace`;

/** As it was, where that can be; of what nobody has noted, all in one. */
export async function placingOn(plain: PlainConnection, spread: Spread | undefined): Promise<Placing> {
  const rows = await plain.query<{ name: string; open: boolean; ofNew: string }>('ask for tablespaces', openSql);
  const ofNew = rows[0]?.ofNew ?? 'pg_default';
  if (spread === undefined) return { own: ofNew, apart: [], ofNew, closed: [] };
  const isOpen = (name: string) => rows.some((row) => row.name === name && row.open);
  const isOwnOpen = spread.own === ofNew || isOpen(spread.own);
  const own = isOwnOpen ? spread.own : ofNew;
  // What a database has in its own tablespace asks for no right.
  const shut = spread.apart.map(({ name }) => name).filter((name) => name !== own && !isOpen(name));
  const closed = [...(isOwnOpen ? [] : [spread.own]), ...shut];
  return { own, apart: shut.length === 0 ? spread.apart : [], ofNew, closed };
}

/** What a person should know of a copy that does not go where the database was. */
export function placingWarnings({ own, apart, closed }: Placing): readonly string[] {
  if (closed.length === 0) return [];
  const where = apart.length === 0 ? 'all of it goes' : 'what was in the first of them goes';
  return [
    `not there, or not open to the role (GRANT CREATE ON TABLESPACE): ${closed.join(', ')}; ${where} into ${own}`,
  ];
}
