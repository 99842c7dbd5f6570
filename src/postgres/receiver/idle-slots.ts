// Which slots beside ours nobody reads, and what they keep.

import type { IdleSlot } from '../../domain/idle-slot.ts';
import { type PlainConnection, withPlain } from '../connection/index.ts';
import type { Source } from '../types.ts';

/** One that is lost keeps nothing any more, one that was never read keeps nothing yet, and one that a standby copies from its primary (17+) is read by nobody there. */
const idleSql = `select slot_name::text as slot, slot_type as kind, pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
    else pg_current_wal_lsn() end, restart_lsn)::text as retained
  from pg_replication_slots s
  where not active and not temporary and restart_lsn is not null and wal_status is distinct from 'lost' and slot_name <> $1
    and to_jsonb(s) ->> 'synced' is distinct from 'true'
  order by restart_lsn, slot_name`;

/** The one that keeps most first. `own` is left out. */
export async function readIdleSlots(source: Source, own: string): Promise<IdleSlot[]> {
  return await withPlain(source, (plain) => askIdleSlots(plain, own));
}

/** The same, of a server that is connected. */
export async function askIdleSlots(plain: PlainConnection, own: string): Promise<IdleSlot[]> {
  type Row = { readonly slot: string; readonly kind: IdleSlot['kind']; readonly retained: string | null };
  const rows = await plain.query<Row>('look at the slots that nobody reads', idleSql, [own]);
  return rows.map(({ slot, kind, retained }) => ({ slot, kind, retainedBytes: Math.max(0, Number(retained ?? 0)) }));
}
