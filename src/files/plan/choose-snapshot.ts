// Which snapshot serves a moment: the newest that was complete by then, and the copy that it is read from.

import type { ComponentId } from '../../domain/component.ts';
import type { ChosenSnapshot } from '../../domain/files-restore.ts';
import { type Moment, secondsBetween, shortMoment } from '../../domain/moment.ts';
import type { SnapshotTarget } from '../../domain/snapshot-target.ts';
import { fail } from '../../errors/index.ts';
import { type SnapshotOnCopies, servingCopy, type Vault } from '../../vault/index.ts';

/** Throws `NO_SNAPSHOT`, `NOT_FOUND`, `TARGET_OUTSIDE` with the nearest there are, `OBJECT_MISSING` when no copy that answers has it. */
export async function chooseSnapshot(
  vault: Pick<Vault, 'listSnapshots'>,
  component: ComponentId,
  target: SnapshotTarget,
  from?: string,
): Promise<ChosenSnapshot> {
  const snapshots = await vault.listSnapshots(component);
  if (snapshots.length === 0) {
    fail('NO_SNAPSHOT', `there is no snapshot of '${component}'`, {
      hint: `take one: \`holdfast backup ${component}\``,
    });
  }
  const found = pick(snapshots, target);
  const copy = servingCopy(found, from);
  const { id, from: begun, to, state } = found;
  const skew = target.type === 'time' ? { skewSeconds: Math.round(secondsBetween(to, target.moment)) } : {};
  return { id, from: begun, to, state, copy, ...skew };
}

function pick(snapshots: readonly SnapshotOnCopies[], target: SnapshotTarget): SnapshotOnCopies {
  const [newest] = snapshots as [SnapshotOnCopies];
  if (target.type === 'latest') return newest;
  if (target.type === 'snapshot') {
    const found = snapshots.find(({ id }) => id === target.id);
    const { component } = newest;
    const hint = `\`holdfast list ${component}\` shows them`;
    return found ?? fail('NOT_FOUND', `${component} has no snapshot '${target.id}'`, { hint });
  }
  const found = snapshots.find(({ to }) => to <= target.moment);
  return found ?? outside(snapshots, target.moment);
}

function outside(snapshots: readonly SnapshotOnCopies[], moment: Moment): never {
  const oldest = snapshots.at(-1) as SnapshotOnCopies;
  return fail('TARGET_OUTSIDE', `no snapshot was complete at ${moment}`, {
    hint: `the oldest is ${oldest.id}, complete at ${shortMoment(oldest.to)}: \`--to ${oldest.to}\``,
  });
}
