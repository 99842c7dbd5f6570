// Proves from the recovered server itself that it stands exactly where the plan says.

import path from 'node:path';
import { compareLsn, parseLsn } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { fail } from '../../errors/index.ts';
import type { RecoveryProof, RestorePlan } from '../types.ts';
import { readIfThere, writeDurably } from './durable-files.ts';
import { currentTimeline, openRecovered, proveSwitch } from './recovered-place.ts';
import type { RecoveredSession } from './recovered-session.ts';
import { pathsOf } from './work-directory.ts';

export type PositionProof = Omit<RecoveryProof, 'newTimeline' | 'checks'>;

/**
 * Reads position and time from the server, paused at its target, and compares them with the plan. Throws `RECOVERY_MISMATCH`.
 * After the promotion the same proof is read from what was kept.
 */
export async function proveRecovery(plan: RestorePlan): Promise<PositionProof> {
  const paths = pathsOf(plan);
  const proofFile = path.join(paths.work, 'proof.json');
  const kept = await readIfThere(proofFile);
  if (kept !== undefined) return JSON.parse(kept) as PositionProof;
  const session = await openRecovered(plan);
  try {
    const position = await readPosition(session);
    // A server that nobody may connect to cannot pause at its target: it leaves recovery there, and its history says where that was.
    if (!position.recovering) await proveSwitch(plan, paths, await currentTimeline(session));
    const proof = compareWithPlan(plan, position);
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

function compareWithPlan({ resolved, source }: RestorePlan, position: Position): PositionProof {
  const mismatch = (what: string, got: string | null, wanted: string) =>
    fail('RECOVERY_MISMATCH', `the recovered server is at ${what} ${got ?? 'unknown'}, planned was ${wanted}`, {
      details: { what, got, wanted },
    });
  if (position.system !== source.systemId) mismatch('cluster', position.system, source.systemId);
  const lsn = position.lsn === null ? undefined : parseLsn(position.lsn);
  if (position.recovering && lsn !== resolved.endLsn) mismatch('position', lsn ?? null, resolved.endLsn);
  const { lastTransaction: last, reportedTime } = resolved;
  // A recovery that went on from a restart point may not have seen a transaction again; the position is the proof then.
  const sawNone = position.time === null && compareLsn(parseLsn(position.redo), source.startLsn) > 0;
  if (position.recovering && position.time !== (reportedTime ?? null) && !sawNone) {
    mismatch('transaction time', position.time, reportedTime ?? 'none');
  }
  return {
    replayedLsn: resolved.endLsn,
    recoveredTo: resolved.moment,
    ...(last === undefined ? {} : { lastTransactionTime: last.time }),
  };
}
