// Whether rows of then fit into the table of today: columns are matched by their names, and nothing is dropped or converted unseen.

import type { TableName } from '../../../domain/part.ts';
import { fail } from '../../../errors/index.ts';
import type { ColumnFacts } from './table-facts.ts';
import { plainName } from './table-names.ts';

export interface FittedColumns {
  /** What is filled and compared, in the order of today. */
  readonly columns: readonly string[];
  /** In words. */
  readonly warnings: readonly string[];
}

/**
 * A column that is there today and was not then gets its default; one that was there then and is gone, or has another type, is no match. Throws
 * `TARGET_UNFIT`.
 */
export function fitColumns(
  table: TableName,
  then: readonly ColumnFacts[],
  today: readonly ColumnFacts[],
): FittedColumns {
  const before = new Map(then.map((column) => [column.name, column]));
  const now = new Map(today.map((column) => [column.name, column]));
  const unfit = (message: string) =>
    fail('TARGET_UNFIT', `'${plainName(table)}': ${message}`, {
      hint: 'load it under another name with `--as NAME` and move the rows by hand; nothing was changed',
    });
  const lost = then.filter(({ name }) => !now.has(name)).map(({ name }) => name);
  if (lost.length > 0) unfit(`columns that it had then are gone today: ${lost.join(', ')}`);
  for (const { name, type } of today) {
    const was = before.get(name)?.type;
    if (was !== undefined && was !== type) unfit(`column ${name} was ${was} then and is ${type} today`);
  }
  const fresh = today.filter(({ name, isGenerated }) => !before.has(name) && !isGenerated);
  const empty = fresh.filter(({ isRequired, hasDefault, isIdentity }) => isRequired && !hasDefault && !isIdentity);
  if (empty.length > 0) {
    unfit(
      `columns that it did not have then must not be empty and have no default: ${empty.map(({ name }) => name).join(', ')}`,
    );
  }
  const computed = today.filter(({ name, isGenerated }) => isGenerated && before.has(name)).map(({ name }) => name);
  const columns = today.filter(({ name, isGenerated }) => before.has(name) && !isGenerated).map(({ name }) => name);
  return {
    columns,
    warnings: [
      ...(fresh.length === 0
        ? []
        : [`columns that it did not have then get their default: ${fresh.map(({ name }) => name).join(', ')}`]),
      ...(computed.length === 0
        ? []
        : [`generated columns are computed anew and not compared: ${computed.join(', ')}`]),
    ],
  };
}
