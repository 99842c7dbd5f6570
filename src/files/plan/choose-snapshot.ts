// Which snapshot serves a moment: the newest that was complete by then, and the copy that it is read from.

import type { ComponentId } from '../../domain/component.ts';
import type { ChosenSnapshot } from '../../domain/files-restore.ts';
import { type Moment, secondsBetween, shortMoment } from '../../domain/moment.ts';
import { oldestBegunAt, oldestHint, type SnapshotTarget } from '../../domain/snapshot-target.ts';
import { fail } from '../../errors/index.ts';
import { type ChoosingVault, noSnapshotOf, type SnapshotOnCopies, servingCopy } from '../../vault/index.ts';

export interface Choice {
  /** The copy that was asked for: no other is taken. */
  readonly from?: string | undefined;
  /** What is typed before a target, where it is the value of an option. */
  readonly before?: '' | '--to ';
}

/** Throws `NO_SNAPSHOT`, `NOT_FOUND`, `TARGET_OUTSIDE` with the nearest there are, and as `servingCopy` does. */
export async function chooseSnapshot(
  vault: ChoosingVault,
  component: ComponentId,
  target: SnapshotTarget,
  { from, before = '' }: Choice = {},
): Promise<ChosenSnapshot> {
  const snapshots = await vault.listSnapshots(component);
  if (target.type === 'snapshot' && !snapshots.some(({ id }) => id === target.id)) {
    await noSnapshotOf(vault, component, target.id);
  }
  if (snapshots.length === 0) {
    fail('NO_SNAPSHOT', `there is no snapshot of '${component}'`, {
      hint: `take one: \`holdfast backup ${component}\``,
    });
  }
  const found = pick(snapshots, target, before);
  const copy = await servingCopy(vault, found, from);
  const { id, from: begun, to, state } = found;
  const skew = target.type === 'time' ? { skewSeconds: Math.floor(secondsBetween(to, target.moment)) } : {};
  return { id, from: begun, to, state, copy, ...skew };
}

function pick(snapshots: readonly SnapshotOnCopies[], target: SnapshotTarget, before: '' | '--to '): SnapshotOnCopies {
  const [newest] = snapshots as [SnapshotOnCopies];
  if (target.type === 'latest') return newest;
  if (target.type === 'snapshot') return snapshots.find(({ id }) => id === target.id) as SnapshotOnCopies;
  const found = snapshots.find(({ to }) => to <= target.moment);
  return found ?? oldestBegunAt(snapshots, target.moment) ?? outside(snapshots, target.moment, before);
}

function outside(snapshots: readonly SnapshotOnCopies[], moment: Moment, before: '' | '--to '): never {
  const oldest = snapshots.at(-1) as SnapshotOnCopies;
  return fail('TARGET_OUTSIDE', `no snapshot was complete at ${shortMoment(moment)}`, {
    hint: oldestHint(oldest, before),
  });
}
