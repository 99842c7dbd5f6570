// Makes the recovered server a primary of its own: first the slot that keeps its log, then the promotion, compared with the plan.

import path from 'node:path';
import { fail } from '../../errors/index.ts';
import type { RestorePlan } from '../types.ts';
import { exists, writeDurably } from './durable-files.ts';
import {
  announcePromotion,
  currentTimeline,
  openRecovered,
  type Promoted,
  proveSwitch,
  readPromoted,
} from './recovered-place.ts';
import type { RecoveredSession } from './recovered-session.ts';
import { until } from './recovery-server.ts';
import { pathsOf } from './work-directory.ts';

const promoteLimitMs = 60 * 60_000;
/** SQLSTATE `object_not_in_prerequisite_state`: "recovery is not in progress" (PostgreSQL manual, "Error Codes"). */
const NOT_IN_RECOVERY = '55000';

/** Makes the slot that keeps the new timeline's log until the receiver is back. In place only; idempotent. */
export async function prepareProduction(plan: RestorePlan): Promise<void> {
  const { slot } = plan.execution;
  if (slot === undefined) return;
  const session = await openRecovered(plan);
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
export async function promote(plan: RestorePlan, options: { readonly signal?: AbortSignal } = {}): Promise<Promoted> {
  const paths = pathsOf(plan);
  const before = await readPromoted(paths);
  if (before !== undefined) return before;
  if (!(await exists(path.join(paths.work, 'proof.json')))) {
    fail('JOURNAL_STATE', 'the recovered server is promoted only after its position was proved');
  }
  const session = await openRecovered(plan);
  try {
    const [row] = await session.query<{ recovering: boolean }>('select pg_is_in_recovery() as recovering');
    if (row?.recovering) {
      await announcePromotion(paths);
      await requestPromotion(session);
    }
    const ready = async () => {
      const [now] = await session.query<{ recovering: boolean }>('select pg_is_in_recovery() as recovering');
      return now?.recovering ? undefined : true;
    };
    const { signal } = options;
    await until(ready, { limitMs: promoteLimitMs, what: 'the promotion', ...(signal === undefined ? {} : { signal }) });
    const newTimeline = await currentTimeline(session);
    await proveSwitch(plan, paths, newTimeline);
    await writeDurably(path.join(paths.work, 'promoted.json'), `${JSON.stringify({ newTimeline })}\n`);
    return { newTimeline };
  } finally {
    await session.close();
  }
}

/**
 * What an attempt that was killed has asked for may be carried out between our look and our own request: what counts is what follows. A server that
 * pauses at its target looks for a request once a second (PostgreSQL, `recoveryPausesHere`); the end of the pause wakes it, and is there the same as a promotion.
 */
export async function requestPromotion(session: Pick<RecoveredSession, 'query'>): Promise<void> {
  try {
    await session.query('select pg_promote(false)');
    await session.query('select pg_wal_replay_resume()');
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { readonly code?: unknown };
    if (code !== NOT_IN_RECOVERY) throw error;
  }
}
