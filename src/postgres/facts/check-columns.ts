// Whether the columns that the configuration chooses are there, have a largest value, and may be read.

import { parseColumnName } from '../../domain/column-name.ts';
import { toHoldfastError } from '../../errors/index.ts';
import { quoteIdentifier, withPlain } from '../connection/index.ts';
import type { NamedCheck, Source } from '../types.ts';
import { maximumSql } from './read-facts.ts';

const NAME = 'facts';

/** One question for each column. Never throws. */
export async function checkColumns(source: Source, maximum: readonly string[]): Promise<readonly NamedCheck[]> {
  return await Promise.all(maximum.map((text) => checkColumn(source, text)));
}

async function checkColumn(source: Source, text: string): Promise<NamedCheck> {
  const name = parseColumnName(text);
  const { database, schema, table, column } = name;
  try {
    return await withPlain(
      { ...source, ...(database !== undefined && { database }) },
      async (plain): Promise<NamedCheck> => {
        const [found] = await plain.query<Found>('look for a column', foundSql, [schema, table, column]);
        const no = (message: string, hint: string): NamedCheck => ({ name: NAME, ok: false, message, hint });
        if (!found?.relation)
          return no(
            `'facts.maximum': there is no table ${schema}.${table}`,
            'name it as schema.table.column, in the letters that the catalogue has',
          );
        if (!found.column)
          return no(
            `'facts.maximum': ${schema}.${table} has no column '${column}'`,
            'name it in the letters that the catalogue has',
          );
        if (!found.readable) {
          const grant = `GRANT SELECT (${quoteIdentifier(column)}) ON ${quoteIdentifier(schema)}.${quoteIdentifier(table)} TO ${quoteIdentifier(found.role)};`;
          return no(`'facts.maximum': role '${found.role}' may not read ${text}`, `run: ${grant}`);
        }
        // Planned and not run: it fails where the type has no largest value.
        await plain.query('ask for a maximum', `explain ${maximumSql(name)}`);
        return { name: NAME, ok: true, message: `the maximum of ${text} is noted with every backup` };
      },
    );
  } catch (error) {
    const { message, hint } = toHoldfastError(error);
    return { name: NAME, ok: false, message: `'facts.maximum', ${text}: ${message}`, hint };
  }
}

interface Found extends Record<string, unknown> {
  readonly role: string;
  readonly relation: boolean;
  readonly column: boolean;
  readonly readable: boolean | null;
}

const foundSql = `select current_user::text as role, c.oid is not null as relation, a.attnum is not null as column,
  has_column_privilege(c.oid, a.attnum, 'select') as readable
  from (select) as one
  left join (pg_class c join pg_namespace n on n.oid = c.relnamespace) on nspname = $1 and relname = $2 and relkind in ('r', 'p')
  left join pg_attribute a on a.attrelid = c.oid and a.attname = $3 and a.attnum > 0 and not a.attisdropped`;
