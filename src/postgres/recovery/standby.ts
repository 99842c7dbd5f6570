// Turns what was recovered beside into a streaming replica of its primary: never promoted, with a slot of its own, believed once a written position arrives.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareLsn, parseLsn } from '../../domain/lsn.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { withPlain } from '../connection/index.ts';
import { dropSlot, ensureSlot, readSlot } from '../receiver/slot.ts';
import type { RestorePlan, Source } from '../types.ts';
import { explainEnd, openWhenReady } from './await-server.ts';
import { primaryConnection } from './conninfo.ts';
import { readControlData } from './control-data.ts';
import { ownerFor, writeDurably } from './durable-files.ts';
import {
  connectionString,
  type FinishedBeside,
  leaveQuarantine,
  moveIntoPlace,
  proveFinished,
} from './finish-beside.ts';
import { markerFile, type RestorePaths } from './paths.ts';
import { findPostmaster } from './postmaster.ts';
import { enterFollowing, quarantinePort, quarantineSettings } from './quarantine.ts';
import { isFilled, stopRecovered } from './recovered-place.ts';
import type { RecoveredServer, RecoveredSession } from './recovered-session.ts';
import { startServer, until } from './recovery-server.ts';
import { pathsOf } from './work-directory.ts';

export interface FollowOptions {
  /** How long what is written on the primary may take to arrive; default 10 minutes. */
  readonly followWithinMs?: number;
}

const startLimitMs = 30 * 60_000;
const followLimitMs = 10 * 60_000;
/** A primary notices that a standby has gone when its connection ends, at the latest after `wal_sender_timeout`. */
const slotFreeWithinMs = 120_000;

/** Before anything is fetched: from now on the primary keeps the log that the standby will ask for. Idempotent. */
export async function reserveStandby(plan: RestorePlan, source: Source): Promise<void> {
  await ensureSlot(source, slotOf(plan), { immediatelyReserve: true });
}

/** Lets the primary forget the standby. Idempotent. Throws `SLOT_BUSY` while somebody reads from the slot. */
export async function releaseStandby(plan: RestorePlan, source: Source): Promise<void> {
  const slot = slotOf(plan);
  for (const giveUpAt = performance.now() + slotFreeWithinMs; ; await sleep(500)) {
    try {
      if ((await readSlot(source, slot)) !== undefined) await dropSlot(source, slot);
      break;
    } catch (error) {
      if (!isHoldfastError(error, 'SLOT_BUSY') || performance.now() > giveUpAt) throw error;
    }
  }
  await rm(passfileOf(pathsOf(plan)), { force: true });
}

function slotOf({ execution }: RestorePlan): string {
  return execution.standbySlot ?? fail('INTERNAL', 'the plan is not that of a standby');
}

const passfileOf = ({ quarantine }: RestorePaths) => path.join(quarantine, 'passfile');

/**
 * Idempotent. The server is left running, by its private socket only, with the settings of a recovered one. Throws
 * `RECOVERY_FAILED` when it ends or does not follow.
 */
export async function finishStandby(
  plan: RestorePlan,
  source: Source,
  options: FollowOptions = {},
): Promise<FinishedBeside> {
  const paths = pathsOf(plan);
  const { dataDirectory } = plan.place;
  if (await isFilled(paths)) {
    await stopRecovered(plan);
    await proveUnpromoted(plan, paths);
    await leaveQuarantine(plan, paths);
    await rm(path.join(paths.data, 'recovery.signal'), { force: true });
    await moveIntoPlace(plan, paths, dataDirectory);
  }
  await proveFinished(plan, dataDirectory);
  await startFollowing(plan, { ...paths, data: dataDirectory }, source);
  const server: RecoveredServer = { socketDirectory: paths.socket, port: quarantinePort, roles: plan.execution.roles };
  const place = { what: 'the standby', dataDirectory, logFile: paths.log };
  const session = await openWhenReady(server, { ...place, limitMs: startLimitMs });
  try {
    await proveFollowing(plan, source, session, {
      explain: async () => {
        if ((await findPostmaster(dataDirectory)) === undefined) await explainEnd('the standby', paths.log);
      },
      limitMs: options.followWithinMs ?? followLimitMs,
    });
  } finally {
    await session.close();
  }
  await rm(path.join(dataDirectory, markerFile), { force: true });
  return { dataDirectory, connection: connectionString(server, session.role) };
}

/** One that left recovery at its target by itself is on a timeline of its own: no primary is followed from there. */
async function proveUnpromoted({ execution, resolved }: RestorePlan, { data }: RestorePaths): Promise<void> {
  const { state, timeline } = await readControlData(execution.binDirectory, data);
  if (state === 'shut down in recovery' && timeline <= resolved.timeline) return;
  fail('RECOVERY_FAILED', `the recovered server left recovery ('${state}', timeline ${timeline})`, {
    hint: 'start the restore again: it goes to a later position',
  });
}

async function startFollowing(plan: RestorePlan, paths: RestorePaths, source: Source): Promise<void> {
  if ((await findPostmaster(paths.data)) !== undefined) return;
  const { binDirectory, runAs } = plan.execution;
  const slot = slotOf(plan);
  const passfile = passfileOf(paths);
  const { conninfo, passwords } = primaryConnection(source.url, passfile, slot);
  if (passwords !== undefined) await writeDurably(passfile, passwords, 0o600, await ownerFor(runAs));
  await enterFollowing(plan, paths, { conninfo, slot, floors: await floorsOf(source) });
  const configFile = quarantineSettings(paths);
  const user = runAs === undefined ? {} : { runAs };
  const place = { binDirectory, dataDirectory: paths.data, configFile, logFile: paths.log, network: true, ...user };
  await startServer(place);
}

/** Today's, not those of the base backup: a standby below its primary stops replaying. */
async function floorsOf(source: Source): Promise<Readonly<Record<string, number>>> {
  const rows = await withPlain(source, (plain) =>
    plain.query<{ name: string; value: number }>(
      'read its limits',
      `select name, setting::int as value from pg_settings where name in ('max_connections', 'max_worker_processes',
        'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')`,
    ),
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

/** What is written on the primary from now on arrives: by a stream, through the slot, replayed. */
async function proveFollowing(
  plan: RestorePlan,
  source: Source,
  session: RecoveredSession,
  { explain, limitMs }: { readonly explain: () => Promise<unknown>; readonly limitMs: number },
): Promise<void> {
  const slot = slotOf(plan);
  const written = await withPlain(source, async (plain) => {
    const sql = "select pg_logical_emit_message(true, 'holdfast', $1)::text as lsn";
    const [row] = await plain.query<{ lsn: string }>('write a message into its log', sql, [plan.run]);
    return parseLsn(row?.lsn ?? '');
  });
  const arrived = async () => {
    const [row] = await session
      .query<{ lsn: string | null; status: string | null; slot: string | null; recovering: boolean }>(
        `select pg_last_wal_replay_lsn()::text as lsn, pg_is_in_recovery() as recovering, r.status, r.slot_name::text as slot
           from (select 1) as one left join pg_stat_wal_receiver r on true`,
      )
      .catch(async (error: unknown) => {
        await explain();
        throw error;
      });
    if (row?.recovering === false) fail('RECOVERY_FAILED', 'the standby has left recovery');
    const isStreaming = row?.status === 'streaming' && row.slot === slot;
    return isStreaming && row?.lsn && compareLsn(parseLsn(row.lsn), written) >= 0 ? true : undefined;
  };
  await until(arrived, { limitMs, what: 'what was written on the primary to arrive at the standby' });
}
