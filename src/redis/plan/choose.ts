// Which snapshot serves a moment, of either kind: the one that comes nearest to it without going beyond, and the copy that it is read from.

import type { ComponentId } from '../../domain/component.ts';
import type { ChosenSnapshot } from '../../domain/files-restore.ts';
import { type Moment, secondsBetween, shortMoment } from '../../domain/moment.ts';
import { oldestBegunAt, oldestHint, type SnapshotTarget } from '../../domain/snapshot-target.ts';
import { fail } from '../../errors/index.ts';
import { type ChoosingVault, noSnapshotOf, type SnapshotOnCopies, servingCopy } from '../../vault/index.ts';
import { type AofDetails, choosePart, hasTimes, momentOf, windowFrom } from '../aof/details.ts';
import { AOF } from '../types.ts';

export interface ChosenRedis {
  readonly snapshot: SnapshotOnCopies;
  /** `to`: what the restore comes to. */
  readonly chosen: ChosenSnapshot;
  /** Where only a part of it is wanted. */
  readonly moment?: Moment;
  readonly warnings: readonly string[];
}

/** `from`: the copy that was asked for, no other is taken. Throws `NO_SNAPSHOT`, `NOT_FOUND`, `TARGET_OUTSIDE` with the nearest there are, and as `servingCopy` does. */
export async function chooseRedis(
  vault: ChoosingVault,
  component: ComponentId,
  target: SnapshotTarget,
  from?: string,
): Promise<ChosenRedis> {
  const snapshots = await vault.listSnapshots(component);
  const named = target.type === 'snapshot' ? snapshots.find(({ id }) => id === target.id) : undefined;
  if (target.type === 'snapshot')
    return await whole(vault, named ?? (await noSnapshotOf(vault, component, target.id)), from);
  const [newest] = snapshots;
  if (newest === undefined) {
    fail('NO_SNAPSHOT', `there is no snapshot of '${component}'`, {
      hint: `take one: \`holdfast backup ${component}\``,
    });
  }
  if (target.type === 'latest') return await whole(vault, newest, from);
  return await ofMoment(vault, snapshots, target.moment, from);
}

async function whole(vault: ChoosingVault, snapshot: SnapshotOnCopies, from: string | undefined): Promise<ChosenRedis> {
  const { id, from: begun, to, state } = snapshot;
  const copy = await servingCopy(vault, snapshot, from);
  return { snapshot, chosen: { id, from: begun, to, state, copy }, warnings: [] };
}

async function ofMoment(
  vault: ChoosingVault,
  snapshots: readonly SnapshotOnCopies[],
  moment: Moment,
  from: string | undefined,
): Promise<ChosenRedis> {
  const all = snapshots.flatMap((snapshot) => {
    const reached = reachedIn(snapshot, moment);
    return reached === undefined ? [] : [{ snapshot, reached }];
  });
  const best = all.reduce<(typeof all)[number] | undefined>(
    (found, each) => (found === undefined || each.reached > found.reached ? each : found),
    undefined,
  );
  if (best === undefined) return await begunAt(vault, snapshots, moment, from);
  const { snapshot, reached } = best;
  const made = await whole(vault, snapshot, from);
  const isPart = snapshot.kind === AOF && snapshot.to > moment;
  return {
    snapshot,
    chosen: { ...made.chosen, to: reached, skewSeconds: Math.floor(secondsBetween(reached, moment)) },
    ...(isPart && { moment }),
    warnings: warningsOf(snapshots, snapshot, moment),
  };
}

/** Throws `TARGET_OUTSIDE`, and as `servingCopy` does. */
async function begunAt(
  vault: ChoosingVault,
  snapshots: readonly SnapshotOnCopies[],
  moment: Moment,
  from: string | undefined,
): Promise<ChosenRedis> {
  const oldest = oldestBegunAt(snapshots, moment);
  if (oldest === undefined || oldest.kind === AOF) return outside(snapshots, moment);
  const { snapshot, chosen } = await whole(vault, oldest, from);
  const late = `nothing was complete by then: the oldest snapshot was begun at ${shortMoment(oldest.from)} and complete at ${shortMoment(oldest.to)}, and may hold what was written until that`;
  return {
    snapshot,
    chosen: { ...chosen, skewSeconds: Math.floor(secondsBetween(oldest.to, moment)) },
    warnings: [late],
  };
}

/** Undefined: nothing of it is as early, or the moment is in a gap. */
function reachedIn({ kind, to, engine }: SnapshotOnCopies, moment: Moment): Moment | undefined {
  if (to <= moment) return to;
  if (kind !== AOF) return undefined;
  const part = choosePart(engine as unknown as AofDetails, moment);
  return part && momentOf(part, to);
}

function warningsOf(
  snapshots: readonly SnapshotOnCopies[],
  chosen: SnapshotOnCopies,
  moment: Moment,
): readonly string[] {
  const over = snapshots.findLast(({ kind, to }) => kind === AOF && to > moment) ?? chosen;
  if (over.kind !== AOF || over.to <= moment) return [];
  const details = over.engine as unknown as AofDetails;
  if (hasTimes(details)) return [];
  return [
    'the server notes no times in its append-only files, so nothing nearer can be had: with `aof-timestamp-enabled yes` any second could be restored',
  ];
}

function outside(snapshots: readonly SnapshotOnCopies[], moment: Moment): never {
  const last = snapshots.at(-1) as SnapshotOnCopies;
  if (last.kind !== AOF && last.from <= moment) {
    fail('TARGET_OUTSIDE', `nothing was complete at ${shortMoment(moment)}`, { hint: oldestHint(last, '--to ') });
  }
  const begins = snapshots.map(({ kind, to, engine }) =>
    kind === AOF ? (windowFrom(engine as unknown as AofDetails) ?? to) : to,
  );
  const oldest = begins.sort()[0] as Moment;
  return fail('TARGET_OUTSIDE', `nothing of ${shortMoment(moment)} was captured`, {
    hint: `\`--to ${shortMoment(oldest)}\` is the oldest moment`,
  });
}
