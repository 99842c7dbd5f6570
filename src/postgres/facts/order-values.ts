// Orders two values of a column by the column's own type: the database knows how.

import { parseColumnName } from '../../domain/column-name.ts';
import type { Order } from './compare-facts.ts';

export type AskWith = <Row extends Record<string, unknown>>(sql: string, values: readonly unknown[]) => Promise<Row[]>;

const typeSql = `select format_type(atttypid, atttypmod) as type from pg_attribute
  join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = c.relnamespace
  where nspname = $1 and relname = $2 and attname = $3 and attnum > 0 and not attisdropped`;

export function orderIn(ask: AskWith): Order {
  return async (name, first, second) => {
    const { schema, table, column } = parseColumnName(name);
    const [found] = await ask<{ type: string }>(typeSql, [schema, table, column]);
    const type = found!.type;
    const [row] = await ask<{ order: number }>(
      `select case when a < b then -1 when a > b then 1 else 0 end as order from (select $1::text::${type} as a, $2::text::${type} as b) as given`,
      [first, second],
    );
    return row!.order;
  };
}
