// The replication slot that makes the server keep what no copy has: made, watched, never silently made again.

import { type Lsn, parseLsn } from '../../domain/lsn.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { openReplication, type PlainConnection, withPlain } from '../connection/index.ts';
import type { Source } from '../types.ts';

export interface SlotFacts {
  readonly name: string;
  readonly active: boolean;
  /** First position that the server still keeps for us; absent until it was reserved, and when it was lost. */
  readonly restartLsn: Lsn | undefined;
  readonly state: 'ok' | 'lost';
  /** Of the session that reads it: whether commits wait for it (`sync`, `quorum`), might (`potential`), or do not (`async`); absent when nobody reads. */
  readonly syncState: SyncState | undefined;
  /** Up to where the server has written log, or received it. */
  readonly serverLsn: Lsn | undefined;
  /** Log that the server keeps because of this slot. */
  readonly retainedBytes: number | undefined;
  /** How much more log the server writes before it gives the slot up; absent without a limit. */
  readonly safeBytes: number | undefined;
}

export type SyncState = 'sync' | 'quorum' | 'potential' | 'async';

const slotSql = `select slot_type, active, restart_lsn::text, wal_status, safe_wal_size::text, server_lsn::text,
    (server_lsn - restart_lsn)::text as retained,
    (select sync_state from pg_stat_replication where pid = active_pid) as sync_state
  from pg_replication_slots, lateral (select case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
    else pg_current_wal_lsn() end as server_lsn) as server where slot_name = $1`;

/** `undefined` when there is no slot of this name. Throws `SLOT_BUSY` when the name belongs to a logical slot. */
export async function readSlot(source: Source, name: string): Promise<SlotFacts | undefined> {
  return await withPlain(source, (plain) => askSlot(plain, name));
}

/** The same, of a server that is connected. */
export async function askSlot(plain: PlainConnection, name: string): Promise<SlotFacts | undefined> {
  const [row] = await plain.query('look at the replication slot', slotSql, [name]);
  if (row === undefined) return undefined;
  if (row.slot_type !== 'physical') fail('SLOT_BUSY', `'${name}' is a ${row.slot_type} replication slot, not ours`);
  const bytes = (text: string | null) => (text === null ? undefined : Number(text));
  return {
    name,
    active: row.active,
    restartLsn: row.restart_lsn === null ? undefined : parseLsn(row.restart_lsn),
    syncState: row.sync_state ?? undefined,
    serverLsn: row.server_lsn === null ? undefined : parseLsn(row.server_lsn),
    state: row.wal_status === 'lost' ? 'lost' : 'ok',
    retainedBytes: bytes(row.retained),
    safeBytes: bytes(row.safe_wal_size),
  };
}

export interface SlotReader {
  /** A receiver of ours bears the slot's. */
  readonly name: string | undefined;
  /** Since it last said how far it is; absent where our role may not know (`pg_monitor`). */
  readonly silentMs: number | undefined;
}

/** Of the session that reads from the slot; `undefined` while nobody does. */
export async function readerOf(source: Source, name: string): Promise<SlotReader | undefined> {
  const sql = `select a.application_name as name, (extract(epoch from clock_timestamp() - r.reply_time) * 1000)::int8::text as silent
    from pg_replication_slots join pg_stat_activity a on a.pid = active_pid left join pg_stat_replication r on r.pid = active_pid
    where slot_name = $1`;
  type Row = { readonly name: string | null; readonly silent: string | null };
  const [row] = await withPlain(source, (plain) => plain.query<Row>('look who reads the slot', sql, [name]));
  if (row === undefined) return undefined;
  return { name: row.name ?? undefined, silentMs: row.silent === null ? undefined : Number(row.silent) };
}

export interface EnsuredSlot {
  readonly name: string;
  /** False when it was there before. */
  readonly created: boolean;
  /** From here on the server keeps the log. */
  readonly restartLsn: Lsn;
}

/**
 * Makes the slot unless it is there; with `immediatelyReserve` the server keeps its log from now on. Throws `SLOT_LOST` when the slot
 * is there but its log is gone: whoever makes it again must say that there is a hole.
 */
export async function ensureSlot(
  source: Source,
  name: string,
  { immediatelyReserve }: { readonly immediatelyReserve: boolean },
): Promise<EnsuredSlot> {
  const before = await readSlot(source, name);
  if (before?.state === 'lost') fail('SLOT_LOST', `the replication slot '${name}' has lost log that no copy may have`);
  if (before?.restartLsn !== undefined) return { name, created: false, restartLsn: before.restartLsn };
  if (before !== undefined) await dropSlot(source, name);
  const connection = await openReplication(source, { slot: name });
  try {
    const reserve = immediatelyReserve ? ' (RESERVE_WAL)' : '';
    await connection.command('make the replication slot', `CREATE_REPLICATION_SLOT "${name}" PHYSICAL${reserve}`);
  } finally {
    connection.close();
  }
  const after = await readSlot(source, name);
  if (after === undefined || (immediatelyReserve && after.restartLsn === undefined)) {
    return fail('SLOT_LOST', `the replication slot '${name}' was made but keeps no log`);
  }
  return { name, created: before === undefined, restartLsn: after.restartLsn ?? parseLsn('0/0') };
}

/** No error when there is none. */
export async function dropSlot(source: Source, name: string): Promise<void> {
  const connection = await openReplication(source, { slot: name });
  try {
    await connection.command('drop the replication slot', `DROP_REPLICATION_SLOT "${name}"`);
  } catch (error) {
    if (!isHoldfastError(error, 'SLOT_LOST')) throw error;
  } finally {
    connection.close();
  }
}
