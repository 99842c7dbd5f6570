// Whether a primary can be followed from what the vault has: asked while planning a standby, before anything is touched.

import { fail } from '../../errors/index.ts';
import { withPlain } from '../connection/index.ts';
import type { Source } from '../types.ts';
import type { Resolution } from './resolve.ts';

interface Primary extends Record<string, unknown> {
  readonly systemId: string;
  readonly recovering: boolean;
  readonly segment: string | null;
  readonly slots: number;
  readonly senders: number;
  readonly address: string | null;
}

const primarySql = `
  select (select system_identifier::text from pg_control_system()) as "systemId", pg_is_in_recovery() as recovering,
         case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_lsn()) end as segment,
         current_setting('max_replication_slots')::int - (select count(*) from pg_replication_slots)::int as slots,
         current_setting('max_wal_senders')::int - (select count(*) from pg_stat_replication)::int as senders,
         host(inet_server_addr()) as address`;

/** Throws `TARGET_UNFIT`, and what a connection throws that finds nobody. Gives what a person should know. */
export async function inspectPrimary(source: Source, { details, resolved }: Resolution): Promise<readonly string[]> {
  const [primary] = await withPlain(source, (plain) =>
    plain.query<Primary>('ask whether it can be followed', primarySql),
  );
  const unfit = (what: string, hint: string) =>
    fail('TARGET_UNFIT', `no standby can follow the configured url: ${what}`, { hint });
  if (primary === undefined) return unfit('it does not say who it is', 'look at the server');
  if (primary.systemId !== details.systemId) {
    unfit(
      `it is cluster ${primary.systemId}, the vault's is ${details.systemId}`,
      'does the url lead to the right server?',
    );
  }
  if (primary.recovering) unfit('it is a standby itself', 'let the url lead to the primary');
  const timeline = Number.parseInt(primary.segment?.slice(0, 8) ?? '', 16);
  if (timeline !== resolved.timeline) {
    unfit(
      `it is on timeline ${timeline}, the newest log in the vault on ${resolved.timeline}`,
      'let its log run into the vault and take a full backup, then try again',
    );
  }
  if (primary.slots < 1)
    unfit('it has no free replication slot', 'raise max_replication_slots, or drop a slot that nobody needs');
  if (primary.senders < 1) unfit('it has no free walsender', 'raise max_wal_senders');
  return [
    'until `holdfast stop`, the primary keeps all log that the standby has not received: a standby that is down fills its disk',
    'make no tablespace on the primary while its standby is on the same host: both would write to the same place',
  ];
}
