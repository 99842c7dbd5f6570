// Recovers to the planned record in quarantine, proves from the server itself that it is there, and promotes it.

import path from 'node:path';
import type { Logger } from 'pino';
import { compareLsn, type Lsn, parseLsn } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { historyFileName, parseTimelineHistory } from '../../domain/timeline.ts';
import { fail } from '../../errors/index.ts';
import type { Vault } from '../../vault/types.ts';
import type { RecoveryProof, RestorePlan } from '../types.ts';
import { readControlData } from './control-data.ts';
import { exists, ownerFor, readIfThere, writeDurably } from './durable-files.ts';
import { isFetched } from './fetch.ts';
import { type LogFeed, startLogFeed } from './log-feed.ts';
import type { RestorePaths } from './paths.ts';
import { findPostmaster } from './postmaster.ts';
import { enterQuarantine, quarantinePort } from './quarantine.ts';
import { openSession, type RecoveredServer, type RecoveredSession, tryOpenSession } from './recovered-session.ts';
import { logTail, startServer, stopServer, until } from './recovery-server.ts';
import { pathsOf } from './work-directory.ts';

export interface RecoverOptions {
  readonly logger?: Logger;
  readonly signal?: AbortSignal;
  /** How long a planned log file is asked for again; default 10 minutes. */
  readonly retryLogForMs?: number;
  readonly onProgress?: (progress: ReplayProgress) => void;
}

export interface ReplayProgress {
  readonly replayedLsn?: Lsn;
  readonly endLsn: Lsn;
  readonly segments: number;
  readonly ofSegments: number;
}

/** A recovery that stands still this long is not slow, it hangs. */
const replayLimitMs = 7 * 24 * 3_600_000;
const promoteLimitMs = 60 * 60_000;

/** What the file says when the recovered server was promoted; from then on it is never started for recovery again. */
interface Promoted {
  readonly newTimeline: number;
}

/** Starts the quarantined server, or finds it running. Idempotent. Throws `JOURNAL_STATE` before the base is fetched. */
export async function startRecovery(plan: RestorePlan): Promise<{ readonly started: boolean }> {
  const paths = pathsOf(plan);
  if ((await readPromoted(paths)) !== undefined) return { started: false };
  if (!(await isFetched(paths))) fail('JOURNAL_STATE', `the base backup in '${paths.data}' is not whole yet`);
  if ((await findPostmaster(paths.data)) !== undefined) return { started: false };
  await proveIdentity(plan, paths);
  await enterQuarantine(plan, paths);
  if (!(await wasPromoted(paths))) {
    const owner = await ownerFor(plan.execution.runAs);
    await writeDurably(signalFile(paths), '', 0o600, owner);
  }
  await startServer(serverPlace(plan, paths));
  return { started: true };
}

const signalFile = ({ data }: RestorePaths) => path.join(data, 'recovery.signal');
const promotingFile = ({ work }: RestorePaths) => path.join(work, 'promoting');

/** The server removes its signal file as it leaves recovery; only once we had asked for that does its absence mean so. */
async function wasPromoted(paths: RestorePaths): Promise<boolean> {
  return (await exists(promotingFile(paths))) && !(await exists(signalFile(paths)));
}

function serverPlace(plan: RestorePlan, paths: RestorePaths) {
  const { binDirectory, runAs } = plan.execution;
  const configFile = path.join(paths.quarantine, 'postgresql.conf');
  return {
    binDirectory,
    dataDirectory: paths.data,
    configFile,
    logFile: paths.log,
    ...(runAs === undefined ? {} : { runAs }),
  };
}

async function proveIdentity(plan: RestorePlan, paths: RestorePaths): Promise<void> {
  const { systemId } = await readControlData(plan.execution.binDirectory, paths.data);
  if (systemId !== plan.source.systemId) {
    fail('DATABASE_IDENTITY', `'${paths.data}' is cluster ${systemId}, expected ${plan.source.systemId}`);
  }
}

export function recoveredServer(plan: RestorePlan): RecoveredServer {
  return { socketDirectory: pathsOf(plan).socket, port: quarantinePort, roles: plan.execution.roles };
}

/**
 * Feeds the log until the server has stopped at the target. Starts the server again when it is gone because an earlier feed
 * was. Throws `RECOVERY_FAILED` with the end of the server's log when it ends by itself; it never ends promoted.
 */
export async function awaitTarget(
  plan: RestorePlan,
  vault: Vault,
  options: RecoverOptions = {},
): Promise<ReplayProgress> {
  const paths = pathsOf(plan);
  if ((await readPromoted(paths)) !== undefined) return { ...noProgress(plan), replayedLsn: plan.resolved.endLsn };
  const feed = await startLogFeed(plan, vault, {
    ...(options.logger === undefined ? {} : { logger: options.logger }),
    ...(options.retryLogForMs === undefined ? {} : { retryForMs: options.retryLogForMs }),
  });
  try {
    await startRecovery(plan);
    return await watch(plan, paths, feed, options);
  } finally {
    await feed.stop();
  }
}

function noProgress(plan: RestorePlan): ReplayProgress {
  const ofSegments = plan.log.segments.length;
  return { endLsn: plan.resolved.endLsn, segments: ofSegments, ofSegments };
}

async function watch(
  plan: RestorePlan,
  paths: RestorePaths,
  feed: LogFeed,
  { signal, onProgress }: RecoverOptions,
): Promise<ReplayProgress> {
  let session: RecoveredSession | undefined;
  let hasRun = false;
  let missing = 0;
  const look = async (): Promise<ReplayProgress | undefined> => {
    const isRunning = (await findPostmaster(paths.data)) !== undefined;
    hasRun ||= isRunning;
    missing = isRunning ? 0 : missing + 1;
    // A server that was just started has no pid file for a moment; one that ended has written why.
    if (missing > (hasRun ? 2 : 300)) await explainEnd(paths, feed);
    if (!isRunning) return undefined;
    // Refusals while it starts are part of starting; one that stays is told when the server ends or the wait does.
    session ??= await tryOpenSession(recoveredServer(plan)).catch(() => undefined);
    const state = session && (await replayState(session).catch(() => undefined));
    if (state === undefined) {
      await session?.close();
      session = undefined;
    }
    const progress = { ...noProgress(plan), ...feed.progress, ...(state?.lsn ? { replayedLsn: state.lsn } : {}) };
    onProgress?.(progress);
    if (state?.recovering === false) {
      if (await wasPromoted(paths)) return progress;
      fail('RECOVERY_MISMATCH', `the recovering server left recovery before it was asked to, see '${paths.log}'`);
    }
    return state?.pause === 'paused' ? progress : undefined;
  };
  try {
    return await until(look, {
      limitMs: replayLimitMs,
      what: 'the target',
      ...(signal === undefined ? {} : { signal }),
    });
  } finally {
    await session?.close();
  }
}

interface ReplayState {
  readonly recovering: boolean;
  readonly lsn: Lsn | undefined;
  readonly pause: string;
}

async function replayState(session: RecoveredSession): Promise<ReplayState> {
  const [row] = await session.query<{ recovering: boolean; lsn: string | null; pause: string | null }>(`
    select pg_is_in_recovery() as recovering, pg_last_wal_replay_lsn()::text as lsn,
           case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() end as pause`);
  const { recovering = true, lsn, pause } = row ?? {};
  return { recovering, lsn: lsn ? parseLsn(lsn) : undefined, pause: pause ?? '' };
}

async function explainEnd(paths: RestorePaths, feed: LogFeed): Promise<never> {
  const tail = await logTail(paths.log);
  const fatal = tail.split('\n').findLast((line) => /FATAL|PANIC/.test(line)) ?? 'without a word';
  const cause = feed.failure;
  const why = cause === undefined ? '' : `; the log could not be fetched: ${cause.message}`;
  return fail('RECOVERY_FAILED', `the recovering server ended: ${fatal.replace(/^.*?(FATAL|PANIC):\s*/, '')}${why}`, {
    ...(cause === undefined ? {} : { cause }),
    details: { log: tail.split('\n').slice(-20).join('\n'), ...(cause === undefined ? {} : { store: cause.code }) },
  });
}

/**
 * Reads position and time from the server, paused at its target, and compares them with the plan. Throws `RECOVERY_MISMATCH`.
 * After the promotion the same proof is read from what was kept.
 */
export async function proveRecovery(plan: RestorePlan): Promise<Omit<RecoveryProof, 'newTimeline' | 'checks'>> {
  const paths = pathsOf(plan);
  const proofFile = path.join(paths.work, 'proof.json');
  const kept = await readIfThere(proofFile);
  if (kept !== undefined) return JSON.parse(kept) as Omit<RecoveryProof, 'newTimeline' | 'checks'>;
  const session = await openSession(recoveredServer(plan));
  try {
    const proof = compareWithPlan(plan, await readPosition(session));
    await writeDurably(proofFile, `${JSON.stringify(proof)}\n`);
    return proof;
  } finally {
    await session.close();
  }
}

interface Position {
  readonly lsn: string | null;
  readonly time: Moment | null;
  readonly system: string;
  readonly redo: string;
  readonly recovering: boolean;
}

async function readPosition(session: RecoveredSession): Promise<Position> {
  const [row] = await session.query<Position & Record<string, unknown>>(`
    select pg_last_wal_replay_lsn()::text as lsn,
           to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as time,
           (select system_identifier::text from pg_control_system()) as system,
           (select redo_lsn::text from pg_control_checkpoint()) as redo,
           pg_is_in_recovery() as recovering`);
  return row ?? fail('RECOVERY_FAILED', 'the recovered server does not tell its position');
}

function compareWithPlan({ resolved, source }: RestorePlan, position: Position) {
  const mismatch = (what: string, got: string | null, wanted: string) =>
    fail('RECOVERY_MISMATCH', `the recovered server is at ${what} ${got ?? 'unknown'}, planned was ${wanted}`, {
      details: { what, got, wanted },
    });
  if (position.system !== source.systemId) mismatch('cluster', position.system, source.systemId);
  if (!position.recovering) mismatch('state', 'promoted', 'paused at the target');
  const lsn = position.lsn === null ? undefined : parseLsn(position.lsn);
  if (lsn !== resolved.endLsn) mismatch('position', lsn ?? null, resolved.endLsn);
  const { lastTransaction: last, reportedTime } = resolved;
  // A recovery that went on from a restart point may not have seen a transaction again; the position is the proof then.
  const sawNone = position.time === null && compareLsn(parseLsn(position.redo), source.startLsn) > 0;
  if (position.time !== (reportedTime ?? null) && !sawNone) {
    mismatch('transaction time', position.time, reportedTime ?? 'none');
  }
  return {
    replayedLsn: resolved.endLsn,
    recoveredTo: resolved.moment,
    ...(last === undefined ? {} : { lastTransactionTime: last.time }),
  };
}

/** Makes the slot that keeps the new timeline's log until the receiver is back. In place only; idempotent. */
export async function prepareProduction(plan: RestorePlan): Promise<void> {
  const { slot } = plan.execution;
  if (slot === undefined) return;
  const session = await openSession(recoveredServer(plan));
  try {
    await session.query(
      `select pg_create_physical_replication_slot($1, true)
        where not exists (select from pg_replication_slots where slot_name = $1)`,
      [slot],
    );
    const [row] = await session.query<{ restart: string | null }>(
      'select restart_lsn::text as restart from pg_replication_slots where slot_name = $1',
      [slot],
    );
    if (!row?.restart) fail('RECOVERY_FAILED', `the slot '${slot}' was not made on the recovered server`);
  } finally {
    await session.close();
  }
}

/**
 * Promotes the server and compares the switch position in the new timeline's history file with the plan, exactly. Idempotent.
 * Throws `RECOVERY_MISMATCH`, and `JOURNAL_STATE` when the recovery was not proved before.
 */
export async function promote(plan: RestorePlan, options: Pick<RecoverOptions, 'signal'> = {}): Promise<Promoted> {
  const paths = pathsOf(plan);
  const before = await readPromoted(paths);
  if (before !== undefined) return before;
  if (!(await exists(path.join(paths.work, 'proof.json')))) {
    fail('JOURNAL_STATE', 'the recovered server is promoted only after its position was proved');
  }
  const session = await openSession(recoveredServer(plan));
  try {
    const [row] = await session.query<{ recovering: boolean }>('select pg_is_in_recovery() as recovering');
    if (row?.recovering) {
      await writeDurably(promotingFile(paths), '');
      await session.query('select pg_promote(false)');
    }
    const ready = async () => {
      const [now] = await session.query<{ recovering: boolean }>('select pg_is_in_recovery() as recovering');
      return now?.recovering ? undefined : true;
    };
    const { signal } = options;
    await until(ready, { limitMs: promoteLimitMs, what: 'the promotion', ...(signal === undefined ? {} : { signal }) });
    // The control file names the new timeline only after the next checkpoint; the server itself knows at once.
    const [named] = await session.query<{ file: string }>('select pg_walfile_name(pg_current_wal_lsn()) as file');
    await session.query('checkpoint');
    const newTimeline = Number.parseInt(named?.file.slice(0, 8) ?? '', 16);
    await proveSwitch(plan, paths, newTimeline);
    await writeDurably(path.join(paths.work, 'promoted.json'), `${JSON.stringify({ newTimeline })}\n`);
    return { newTimeline };
  } finally {
    await session.close();
  }
}

async function proveSwitch({ resolved }: RestorePlan, paths: RestorePaths, newTimeline: number): Promise<void> {
  const file = path.join(paths.data, 'pg_wal', historyFileName(newTimeline));
  const history = parseTimelineHistory(newTimeline, (await readIfThere(file)) ?? '');
  const last = history.ancestors.at(-1);
  if (last?.timeline === resolved.timeline && last.switchLsn === resolved.endLsn) return;
  const got = last === undefined ? 'nothing' : `timeline ${last.timeline} at ${last.switchLsn}`;
  fail(
    'RECOVERY_MISMATCH',
    `timeline ${newTimeline} left ${got}, planned was timeline ${resolved.timeline} at ${resolved.endLsn}`,
    {
      details: { newTimeline, got: last ?? null, wanted: { timeline: resolved.timeline, lsn: resolved.endLsn } },
    },
  );
}

export async function readPromoted(paths: RestorePaths): Promise<Promoted | undefined> {
  const text = await readIfThere(path.join(paths.work, 'promoted.json'));
  return text === undefined ? undefined : (JSON.parse(text) as Promoted);
}

/** Stops the recovered server of this plan, wherever it is in its way. */
export async function stopRecovered(plan: RestorePlan): Promise<void> {
  const { binDirectory, runAs } = plan.execution;
  await stopServer({ binDirectory, dataDirectory: pathsOf(plan).data, ...(runAs === undefined ? {} : { runAs }) });
}
