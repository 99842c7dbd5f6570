// Whether a database holds the rows that the dump does: every table counted, and compared with the lines of its file.

import { createReadStream } from 'node:fs';
import path from 'node:path';
import { fail } from '../../../errors/index.ts';
import { openPlain } from '../../connection/index.ts';
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

/** Schema, name and owner as the list of a dump tells them, with what a line cannot hold taken out (PostgreSQL, sanitize_line). */
const namesSql = `select regexp_replace(nspname || ' ' || relname || ' ' || pg_get_userbyid(relowner), E'[\\n\\r]', ' ', 'g') as tag,
  quote_ident(nspname) || '.' || quote_ident(relname) as name
  from pg_class c join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'p', 'f')`;

/** Throws `RECOVERY_MISMATCH` for a table that is missing or has another number of rows. */
export async function compareRows(
  database: Source,
  directory: string,
  entries: readonly TocEntry[],
  signal: AbortSignal,
): Promise<ComparedRows> {
  const plain = await openPlain(database, { statementMs: COUNT_MS });
  try {
    const known = await plain.query<{ tag: string; name: string }>('list its tables', namesSql);
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
      if (counted !== expected && named.length === 1) {
        fail('RECOVERY_MISMATCH', `${named[0]?.name} has ${counted} rows, the dump ${expected}`);
      }
      rows += counted;
    }
    return { tables: tables.length, rows };
  } finally {
    await plain.close();
  }
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
