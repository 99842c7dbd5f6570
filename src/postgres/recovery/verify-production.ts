// Asks the server at production's own address whether it is the cluster and timeline that a swap has put there.

import { fail } from '../../errors/index.ts';
import { withPlain } from '../connection/index.ts';
import type { Source } from '../types.ts';

const sql = `
  select (select system_identifier::text from pg_control_system()) as "systemId", pg_is_in_recovery() as recovering,
         case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_lsn()) end as segment`;

/** Throws `DATABASE_IDENTITY` when another server answers there, and what a connection throws. */
export async function verifyProduction(
  source: Source,
  expected: { readonly systemId: string; readonly timeline: number },
): Promise<void> {
  const [row] = await withPlain(source, (connection) =>
    connection.query<{ systemId: string; recovering: boolean; segment: string | null }>('ask who it is', sql),
  );
  const timeline = Number.parseInt(row?.segment?.slice(0, 8) ?? '', 16);
  if (row?.systemId === expected.systemId && !row.recovering && timeline === expected.timeline) return;
  fail(
    'DATABASE_IDENTITY',
    `the server at the configured address is cluster ${row?.systemId} on timeline ${timeline}`,
    {
      hint: 'does the configured url lead to the restored data directory?',
      details: { expected, got: { systemId: row?.systemId, timeline } },
    },
  );
}
