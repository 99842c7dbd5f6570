// Whether a database holds the rows that the dump does: every table counted, and compared with the lines of its file.

import { createReadStream } from 'node:fs';
import path from 'node:path';
import { fail } from '../../../errors/index.ts';
import { openPlain, type PlainConnection } from '../../connection/index.ts';
import type { Source } from '../../types.ts';
import { isTableData, rowsFile, type TocEntry } from '../archive-toc.ts';

export interface ComparedRows {
  readonly tables: number;
  readonly rows: number;
}

/** pg_dump ends the rows by the mark of COPY and two empty lines. */
const LINES_BEHIND_ROWS = 3;
const COUNT_MS = 4 * 60 * 60_000;
const NEWLINE = 0x0a;

/**
 * Schema, name and owner as the list of a dump tells them, with what a line cannot hold taken out (PostgreSQL, sanitize_line). `root`: the rows are
 * loaded by the topmost table and may come into another partition, because an enum's hash is another in each database (PostgreSQL, pg_dump.c,
 * `forcePartitionRootLoad`).
 */
const namesSql = `with recursive above as (
    select inhrelid as relation, inhparent as ancestor, 1 as height
      from pg_inherits join pg_class on oid = inhrelid where relispartition
    union all select relation, inhparent, height + 1
      from above join pg_inherits on inhrelid = ancestor join pg_class on oid = inhrelid where relispartition),
  scattered as (
    select partrelid from pg_partitioned_table where partstrat = 'h' and exists (
      select from pg_opclass where opcname = 'enum_ops' and opcnamespace = 'pg_catalog'::regnamespace and oid = any (partclass)))
  select regexp_replace(nspname || ' ' || relname || ' ' || pg_get_userbyid(relowner), E'[\\n\\r]', ' ', 'g') as tag,
    quote_ident(nspname) || '.' || quote_ident(relname) as name,
    (select (array_agg(ancestor::int8::text order by height desc))[1] from above where relation = c.oid
      having bool_or(ancestor in (select partrelid from scattered))) as root
  from pg_class c join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'p', 'f')`;

interface Known {
  readonly tag: string;
  readonly name: string;
  readonly root: string | null;
}

async function tablesOf(plain: PlainConnection): Promise<readonly Known[]> {
  return (await plain.query('list its tables', namesSql)) as unknown as Known[];
}

/** Names of partitions that need not have the rows which they had in the source; all of a tree have them together. */
export async function scatteredPartitions(plain: PlainConnection): Promise<ReadonlySet<string>> {
  return new Set((await tablesOf(plain)).flatMap(({ name, root }) => (root === null ? [] : [name])));
}

/** Throws `RECOVERY_MISMATCH` for a table that is missing or has another number of rows. */
export async function compareRows(
  database: Source,
  directory: string,
  entries: readonly TocEntry[],
  signal: AbortSignal,
): Promise<ComparedRows> {
  const plain = await openPlain(database, { statementMs: COUNT_MS, signal });
  try {
    const known = await tablesOf(plain);
    const scattered = new Map<string, { names: string[]; counted: number; expected: number }>();
    let rows = 0;
    const tables = entries.filter(isTableData);
    for (const entry of tables) {
      signal.throwIfAborted();
      const expected = (await countLines(path.join(directory, rowsFile(entry)))) - LINES_BEHIND_ROWS;
      const named = known.filter(({ tag }) => tag === entry.rest);
      if (named.length === 0) fail('RECOVERY_MISMATCH', `the table '${entry.rest}' is not there after it was loaded`);
      let counted = 0;
      for (const { name } of named) {
        const [row] = await plain.query<{ count: string }>(
          'count rows',
          `select count(*)::text as count from only ${name}`,
        );
        counted += Number(row?.count);
      }
      rows += counted;
      const [only, another] = named;
      if (only === undefined || another !== undefined) continue;
      if (only.root === null) requireEqual(only.name, counted, expected);
      else {
        const together = scattered.get(only.root) ?? { names: [], counted: 0, expected: 0 };
        together.names.push(only.name);
        together.counted += counted;
        together.expected += expected;
        scattered.set(only.root, together);
      }
    }
    for (const together of scattered.values())
      requireEqual(together.names.join(' and '), together.counted, together.expected);
    return { tables: tables.length, rows };
  } finally {
    await plain.close();
  }
}

function requireEqual(name: string, counted: number, expected: number): void {
  if (counted !== expected) fail('RECOVERY_MISMATCH', `${name} has ${counted} rows, the dump ${expected}`);
}

async function countLines(file: string): Promise<number> {
  let lines = 0;
  for await (const bytes of createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  }
  return lines;
}

export async function countLargeObjects(database: Source): Promise<number> {
  const plain = await openPlain(database);
  try {
    const [row] = await plain.query<{ count: string }>(
      'count large objects',
      'select count(*)::text as count from pg_largeobject_metadata',
    );
    return Number(row?.count);
  } finally {
    await plain.close();
  }
}
