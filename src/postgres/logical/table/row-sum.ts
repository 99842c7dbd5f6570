// Counts rows and sums a hash over them, whatever their order, so that a table on one server can be compared with one on another.

import pg from 'pg';
import type { RowSum } from '../../../domain/part.ts';
import type { PlainConnection } from '../../connection/index.ts';

/** How values become text must not depend on the server, the database or the role. */
const sameWordsSql = `set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set timezone = 'UTC'; set extra_float_digits = 3;
  set bytea_output = 'hex'; set lc_monetary = 'C'; set xmlbinary = 'base64'; set search_path = ''; set row_security = off;
  set statement_timeout = 0; set quote_all_identifiers = off`;

/** What would end a session that is at work for hours; some came with 17. */
const unlimitedSql = `select set_config(name, '0', false) from pg_settings
  where name in ('idle_in_transaction_session_timeout', 'transaction_timeout', 'idle_session_timeout', 'lock_timeout')`;

/** For every session that compares. Names have to be qualified from here on. */
export async function speakAlike(plain: PlainConnection): Promise<void> {
  await plain.query('set up the session', sameWordsSql);
  await plain.query('lift limits of the session', unlimitedSql);
}

/**
 * Every value is hashed by itself, then the row of hashes, twice with different seeds: 128 bits, added up. `relation` is quoted; a row that
 * is there twice counts twice. The session speaks as `speakAlike` says.
 */
export async function rowSum(plain: PlainConnection, relation: string, columns: readonly string[]): Promise<RowSum> {
  const values = columns.map((name) => `hashtextextended(${pg.escapeIdentifier(name)}::text collate "C", 0)`);
  const sql = `select count(*)::text as rows,
    coalesce(sum(hashtextextended(line, 0)), 0)::text || '/' || coalesce(sum(hashtextextended(line, 1)), 0)::text as sum
    from (select row(${values.join(', ')})::text collate "C" as line from ${relation}) lines`;
  const [row] = await plain.query<{ rows: string; sum: string }>('compare the rows', sql);
  return { rows: Number(row?.rows), sum: row?.sum ?? '' };
}

export function isEqual(one: RowSum, other: RowSum): boolean {
  return one.rows === other.rows && one.sum === other.sum;
}
