// A column as a person names it: `schema.table.column`, in a database of its own in front where it is not the component's.

export interface ColumnName {
  /** Absent: the database of the component's url. */
  readonly database?: string;
  readonly schema: string;
  readonly table: string;
  readonly column: string;
}

export const columnNameExpected =
  'a column such as public.orders.created_at, with a database in front where it is another than that of the url, and double quotes around what has a dot in it';

/** Names are taken as they are written, without folding to lower case. Throws `RangeError`. */
export function parseColumnName(text: string): ColumnName {
  const parts = [...text.matchAll(/(?:"((?:[^"]|"")+)"|([^".]+))(\.|$)/gy)];
  const isWhole = parts.map(([all]) => all).join('') === text && parts.at(-1)?.[3] === '';
  if (!isWhole || (parts.length !== 3 && parts.length !== 4)) throw new RangeError(`expected ${columnNameExpected}`);
  const names = parts.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
  const [schema = '', table = '', column = ''] = names.slice(-3);
  const [database] = names.slice(0, -3);
  return { schema, table, column, ...(database === undefined ? {} : { database }) };
}
