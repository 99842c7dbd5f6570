// Deferrable keys are checked by triggers that keep still while rows are brought back, so they are asked for at the end.

import pg from 'pg';
import type { TableName } from '../../../domain/part.ts';
import { fail } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { TableFacts } from './table-facts.ts';
import { plainName } from './table-names.ts';

/** A parent's constraint is also each partition's. */
const keysSql = `select con.conname::text as name, con.contype::text as type, con.conrelid::regclass::text as table,
  coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false) as "nullsEqual",
  array(select a.attname::text from unnest(con.conkey) with ordinality k(n, at) join pg_attribute a on a.attrelid = con.conrelid
    and a.attnum = k.n order by k.at) as columns
  from pg_constraint con left join pg_index i on i.indexrelid = con.conindid
  where con.condeferrable and con.contype in ('u', 'p', 'x') and con.conrelid = any($1::int8[]::oid[]) order by 1`;

interface Key extends Record<string, unknown> {
  readonly name: string;
  readonly type: 'u' | 'p' | 'x';
  readonly table: string;
  readonly nullsEqual: boolean;
  readonly columns: readonly string[];
}

/** Throws `TARGET_UNFIT` where a deferrable key does not hold, or cannot be compared. */
export async function proveUniqueness(plain: PlainConnection, table: TableName, { tree }: TableFacts): Promise<void> {
  const keys = await plain.query<Key>('list deferrable keys', keysSql, [tree]);
  for (const { name, type, table: of, nullsEqual, columns } of keys) {
    const hint = 'load it under another name with `--as NAME`; nothing was changed';
    if (type === 'x') {
      fail(
        'TARGET_UNFIT',
        `the exclusion constraint '${name}' of '${plainName(table)}' is deferrable, which is not compared`,
        {
          hint,
        },
      );
    }
    const names = columns.map((column) => pg.escapeIdentifier(column));
    const given = nullsEqual ? '' : ` where ${names.map((each) => `${each} is not null`).join(' and ')}`;
    const sql = `select 1 as found from ${of}${given} group by ${names.join(', ')} having count(*) > 1 limit 1`;
    const [twice] = await plain.query('check a deferrable key', sql);
    if (twice === undefined) continue;
    fail('TARGET_UNFIT', `'${plainName(table)}' cannot be replaced: rows would be equal in the key '${name}'`, {
      hint,
    });
  }
}
