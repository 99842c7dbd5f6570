// Lets the quarantined server replay up to the planned record, fed with log, and says why when it does not get there.

import type { Logger } from 'pino';
import { type Lsn, parseLsn } from '../../domain/lsn.ts';
import type { Vault } from '../../vault/types.ts';
import type { RestorePlan } from '../types.ts';
import { explainEnd, Presence } from './await-server.ts';
import { type LogFeed, startLogFeed } from './log-feed.ts';
import type { RestorePaths } from './paths.ts';
import {
  announcePromotion,
  currentTimeline,
  proveSwitch,
  readPromoted,
  recoveredServer,
  startRecovery,
  wasPromoted,
} from './recovered-place.ts';
import { type RecoveredSession, tryOpenSession } from './recovered-session.ts';
import { until } from './recovery-server.ts';
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
  /** How long the server waited for log that was not fetched yet. */
  readonly waitedMs: number;
}

/** A recovery that stands still this long is not slow, it hangs. */
const replayLimitMs = 7 * 24 * 3_600_000;
/** A server that is up but refuses every session this often in a row will go on refusing. */
const maxRefusals = 100;

/**
 * Feeds the log until the server has stopped at the target. Starts the server again when it is gone because an earlier feed
 * was. Throws `RECOVERY_FAILED`, or `NO_SPACE` where the disk is full, with the end of the server's log when it ends by itself; it never ends promoted.
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
    const { started } = await startRecovery(plan);
    return await watch(plan, paths, feed, { ...options, hasRun: !started });
  } finally {
    await feed.stop();
  }
}

function noProgress(plan: RestorePlan): ReplayProgress {
  const ofSegments = plan.log.segments.length;
  return { endLsn: plan.resolved.endLsn, segments: ofSegments, ofSegments, waitedMs: 0 };
}

async function watch(
  plan: RestorePlan,
  paths: RestorePaths,
  feed: LogFeed,
  { signal, onProgress, hasRun }: RecoverOptions & { readonly hasRun: boolean },
): Promise<ReplayProgress> {
  let session: RecoveredSession | undefined;
  const presence = new Presence(paths.data, hasRun);
  let refusals = 0;
  const look = async (): Promise<ReplayProgress | undefined> => {
    const { postmaster, hasEnded } = await presence.look();
    if (hasEnded) await explainEnd('the recovering server', paths.log, feed.failure);
    // Asked earlier, it would fill its log with refusals.
    if (postmaster?.status === 'ready') {
      session ??= await tryOpenSession(recoveredServer(plan)).catch((error: unknown) => {
        refusals += 1;
        if (refusals > maxRefusals) throw error;
        return undefined;
      });
    }
    const state = session && (await replayState(session).catch(() => undefined));
    if (state === undefined) {
      await session?.close();
      session = undefined;
    }
    const progress = { ...noProgress(plan), ...feed.progress, ...(state?.lsn ? { replayedLsn: state.lsn } : {}) };
    onProgress?.(progress);
    if (state?.recovering === false && session !== undefined) {
      if (!(await wasPromoted(paths))) await acceptOwnEnd(plan, paths, session);
      return progress;
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

/**
 * A server does not pause at its target while nobody may connect to it yet (a snapshot of running transactions that
 * overflowed: PostgreSQL, `recoveryPausesHere`): it leaves recovery there. Exactly there is fine, anywhere else is not.
 */
async function acceptOwnEnd(plan: RestorePlan, paths: RestorePaths, session: RecoveredSession): Promise<void> {
  await proveSwitch(plan, paths, await currentTimeline(session));
  await announcePromotion(paths);
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
