// Phase one: what is not needed is named by a tombstone on every copy; nothing is deleted.

import type { MarkReport } from '../../domain/retention-report.ts';
import type { VaultCore } from '../core.ts';
import type { Lease } from '../types.ts';
import { summarizeTombstone } from './due.ts';
import { putTombstone, sealTombstone, tombstoneId } from './put-tombstone.ts';
import type { RetentionRequest } from './request.ts';
import { select } from './select.ts';
import { isEmptyList, readTombstones, type Tombstone } from './tombstone.ts';
import { type Caches, readWorld, type World } from './world.ts';

/** A repeated attempt of the same run finds its own tombstone and completes it. */
export async function mark(
  core: VaultCore,
  request: RetentionRequest,
  caches: Caches,
  lease: Lease,
): Promise<MarkReport> {
  const world = await readWorld(core, request, caches);
  const own = world.tombstones.find(({ run }) => run === request.run);
  if (own !== undefined) {
    await completeTombstones(world, [own], lease);
    return { tombstone: await summary(core, world, own.id), refused: [] };
  }
  const { list, refused } = await select(core, world, request);
  if (isEmptyList(list)) return { refused };
  const { run, by, graceSeconds } = request;
  const id = tombstoneId(world.now, run);
  const header = { id, run, by, reason: 'not needed by the policy', at: world.now, graceSeconds };
  const bytes = await sealTombstone(core, header, list);
  await lease.check();
  await putTombstone(world.copies, id, bytes);
  core.logger.info({ tombstone: id, manifests: list.manifests.length, generations: list.generations.length }, 'marked');
  return { tombstone: await summary(core, world, id), refused };
}

/** Puts every tombstone on the copies that lack it: until then none is due. */
export async function completeTombstones(
  { copies }: Pick<World, 'copies'>,
  tombstones: readonly Tombstone[],
  lease: Lease,
): Promise<void> {
  for (const { id, bytes, storedAt } of tombstones) {
    const lacking = copies.filter(({ description }) => !storedAt.has(description.name));
    if (lacking.length === 0) continue;
    await lease.check();
    await putTombstone(lacking, id, bytes);
  }
}

async function summary(core: VaultCore, { copies, now }: World, id: string) {
  const found = (await readTombstones(core, copies, { unreadable: 'refuse' })).find((each) => each.id === id);
  const names = copies.map(({ description }) => description.name);
  return summarizeTombstone(found as Tombstone, names, now);
}
