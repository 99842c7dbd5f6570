// Whether a restored server holds what the source held: every row of every table, hashed by the server itself.

import type pg from 'pg';
import { fail } from '../../src/errors/index.ts';

/** Rows and a sum over their hashes, by table. */
export type Digest = Readonly<Record<string, string>>;

/** In any order of the rows. Throws `CHECK_FAILED` for a database without rows: nothing would be compared. */
export async function digestOf(client: pg.Client): Promise<Digest> {
  const { rows: tables } = await client.query<{ name: string }>(
    "select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = relnamespace where relkind = 'r' and nspname = 'public' order by 1",
  );
  const digest: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await client.query<{ count: string; sum: string }>(
      `select count(*)::text as count, coalesce(sum(hash_record_extended(t, 0)), 0)::text as sum from ${name} t`,
    );
    digest[name] = `${rows[0]?.count} rows, ${rows[0]?.sum}`;
  }
  if (!Object.values(digest).some((each) => !each.startsWith('0 rows'))) {
    fail('CHECK_FAILED', 'the database has no rows: nothing was compared');
  }
  return digest;
}

/** Throws `CHECK_FAILED` with the first table that differs: a restore that is not the original is no result, however fast. */
export function requireSameDigest(expected: Digest, actual: Digest, who: string): void {
  for (const table of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    if (expected[table] === actual[table]) continue;
    fail(
      'CHECK_FAILED',
      `what ${who} restored is not the original: '${table}' has ${actual[table] ?? 'nothing'}, expected ${expected[table] ?? 'no such table'}`,
    );
  }
}
