// The facts of the first base backup behind a target: what never goes back was no further at the target than it was there.

import type { ComponentId } from '../../domain/component.ts';
import { compareLsn } from '../../domain/lsn.ts';
import type { Vault } from '../../vault/types.ts';
import { parseFacts, type SnapshotFacts } from '../facts/index.ts';
import type { PhysicalDetails, ResolvedTarget } from '../types.ts';

/** Of the target's own timeline alone: another one may have left it before. */
export async function nextFacts(
  vault: Vault,
  component: ComponentId,
  { systemId }: PhysicalDetails,
  { timeline, endLsn }: ResolvedTarget,
): Promise<SnapshotFacts | undefined> {
  const snapshots = await vault.listSnapshots(component);
  const behind = snapshots
    .filter(({ kind }) => kind === 'physical')
    .map(({ engine }) => engine as PhysicalDetails)
    .filter((details) => details.systemId === systemId && details.timeline === timeline && details.facts !== undefined)
    .filter(({ startLsn }) => compareLsn(startLsn, endLsn) >= 0)
    .sort((a, b) => compareLsn(a.startLsn, b.startLsn));
  const facts = parseFacts(behind[0]?.facts);
  return facts === 'unknown' ? undefined : facts;
}
