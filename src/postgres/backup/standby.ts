// The standby that base backups are rather taken from: whether it is one, of this cluster, on its timeline, and near enough.

import { type Lsn, lsnDistance, parseLsn } from '../../domain/lsn.ts';
import { bytesText } from '../../domain/size.ts';
import { toHoldfastError } from '../../errors/index.ts';
import { openReplication, withPlain } from '../connection/index.ts';
import { identifySystem } from '../identity.ts';
import type { Source } from '../types.ts';
import { becomesPrimary } from './becomes-primary.ts';

export interface Standby {
  readonly source: Source;
  /** Most log that it may not have replayed yet. */
  readonly behindBytes: number;
  /** Whether the vault has the log from this position on: a standby's backup begins with the last checkpoint that it has replayed. */
  readonly hasLog: (systemId: string, timeline: number, from: Lsn) => Promise<boolean>;
}

interface Position {
  readonly systemId: string;
  readonly timeline: number;
  readonly isInRecovery: boolean;
  /** Replayed, or written. */
  readonly lsn: Lsn | undefined;
}

const positionSql = `select pg_is_in_recovery() as in_recovery,
  (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end)::text as lsn`;

/** Throws `BecomesPrimary` with what is against the standby, and the `DATABASE_…` errors of asking the primary. */
export async function requireFitStandby(
  primary: Source,
  { source, behindBytes }: Pick<Standby, 'source' | 'behindBytes'>,
): Promise<void> {
  const ours = await positionOf(primary);
  const theirs = await positionOf(source).catch((error) => becomesPrimary(toHoldfastError(error).message));
  if (theirs.systemId !== ours.systemId)
    becomesPrimary(`the standby is of cluster ${theirs.systemId}, the primary of ${ours.systemId}`);
  if (!theirs.isInRecovery) becomesPrimary('the standby is none: it is not in recovery');
  if (theirs.timeline !== ours.timeline)
    becomesPrimary(`the standby is on timeline ${theirs.timeline}, the primary on ${ours.timeline}`);
  if (theirs.lsn === undefined || ours.lsn === undefined) return becomesPrimary('the standby has replayed no log yet');
  const behind = lsnDistance(theirs.lsn, ours.lsn);
  if (behind > behindBytes)
    becomesPrimary(`the standby is ${bytesText(behind)} of log behind, more than ${bytesText(behindBytes)}`);
}

async function positionOf(source: Source): Promise<Position> {
  const connection = await openReplication(source);
  const { systemId, timeline } = await identifySystem(connection).finally(() => connection.close());
  return await withPlain(source, async (plain) => {
    const sql = positionSql;
    const [row] = await plain.query<{ in_recovery: boolean; lsn: string | null }>('ask how far it is', sql);
    const { in_recovery: isInRecovery, lsn } = row!;
    return { systemId, timeline, isInRecovery, lsn: lsn === null ? undefined : parseLsn(lsn) };
  });
}
