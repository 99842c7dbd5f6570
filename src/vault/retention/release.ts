// Taking back: a hold ends, or a tombstone during its grace, with the generations and log that hang on each snapshot it names.

import { lsnValue } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import type { ReleaseReport } from '../../domain/retention-report.ts';
import { fail, type HoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import type { VaultCore } from '../core.ts';
import { parseManifestKey } from '../layout.ts';
import { logOf } from '../require-log.ts';
import type { Lease } from '../types.ts';
import { verifyCopy } from '../verify-copy.ts';
import { type ComponentFacts, type ManifestFacts, readFacts } from './facts.ts';
import { putHoldRelease, readHolds } from './holds.ts';
import { readInventory } from './inventory.ts';
import { putRelease } from './put-tombstone.ts';
import { keysOf, readTombstones, type Tombstone } from './tombstone.ts';
import type { Caches } from './world.ts';

export interface ReleaseRequest {
  readonly id: string;
  readonly by: string;
  readonly at: Moment;
  readonly reason: string;
}

interface Hanging {
  readonly tombstone: Tombstone;
  readonly keys: readonly string[];
}

/** What tombstones name of a snapshot: its manifest, the generations it needs, and the log it needs to become consistent. */
export function hangingOn(
  manifest: ManifestFacts,
  facts: ComponentFacts,
  tombstones: readonly Tombstone[],
): readonly Hanging[] {
  const log = new Set(logKeysOf(manifest, facts));
  return tombstones.flatMap((tombstone) => {
    const { manifests, generations, packs, log: named } = tombstone.list;
    const keys = [
      ...manifests.map(([key]) => key).filter((key) => key === manifest.key),
      ...generations.map(({ path }) => path).filter((path) => manifest.generations.includes(path)),
      ...packs.map(([key]) => key).filter((key) => manifest.packs.includes(key.slice(-64))),
      ...named.map(([key]) => key).filter((key) => log.has(key)),
    ];
    return keys.length === 0 ? [] : [{ tombstone, keys }];
  });
}

function logKeysOf({ header }: ManifestFacts, { logs }: ComponentFacts): string[] {
  const needs = logOf(header);
  const log = logs.find(({ systemId }) => systemId === needs?.systemId);
  if (needs === undefined || log === undefined) return [];
  const size = BigInt(log.segmentSizeBytes);
  const from = (lsnValue(needs.startLsn) / size) * size;
  const to = (lsnValue(needs.stopLsn) / size + 1n) * size;
  return log.objects
    .filter(({ timeline, fromLsn, toLsn }) => {
      return timeline === needs.timeline && lsnValue(toLsn) > from && lsnValue(fromLsn) < to;
    })
    .map(({ key }) => key);
}

/** `id`: of a hold or of a tombstone. Throws `NOT_FOUND`; `OBJECT_MISSING` when too much of it is deleted already. */
export async function release(
  core: VaultCore,
  request: ReleaseRequest,
  caches: Caches,
  lease: Lease,
): Promise<ReleaseReport> {
  const copies = await core.copies.ready();
  if (request.id.startsWith('hold-')) return releaseHold(core, copies, request);
  const tombstones = await readTombstones(core, copies, { cache: caches.tombstones, unreadable: 'refuse' });
  const tombstone = tombstones.find(({ id }) => id === request.id);
  if (tombstone === undefined) {
    return fail('NOT_FOUND', `there is no tombstone '${request.id}'`, { hint: 'see `holdfast retention plan`' });
  }
  return releaseTombstone(core, { copies, tombstones, tombstone, caches, lease }, request);
}

async function releaseHold(core: VaultCore, copies: readonly Copy[], request: ReleaseRequest): Promise<ReleaseReport> {
  const hold = (await readHolds(core, copies)).find(({ id }) => id === request.id);
  if (hold === undefined) {
    return fail('NOT_FOUND', `there is no hold '${request.id}'`, { hint: 'see `holdfast retention plan`' });
  }
  await putHoldRelease(core, request);
  return { id: request.id, kind: 'hold', snapshots: hold.snapshot === undefined ? [] : [hold.snapshot], gone: [] };
}

interface Known {
  readonly copies: readonly Copy[];
  readonly tombstones: readonly Tombstone[];
  readonly tombstone: Tombstone;
  readonly caches: Caches;
  readonly lease: Lease;
}

async function releaseTombstone(core: VaultCore, known: Known, request: ReleaseRequest): Promise<ReleaseReport> {
  const { copies, tombstones, tombstone, caches, lease } = known;
  const inventories = await Promise.all(copies.map(readInventory));
  const components = new Set([...keysOf(tombstone.list)].map(([key]) => key.split('/').slice(0, 2).join('/')));
  const snapshots: string[] = [];
  const gone: string[] = [];
  const keys = new Map<string, Set<string>>([[tombstone.id, new Set()]]);
  for (const component of components) {
    const facts = await readFacts(core, inventories, component as ComponentFacts['component'], caches.facts);
    const named = tombstone.list.manifests.map(([key]) => key).filter((key) => key.startsWith(`${component}/`));
    for (const key of named) {
      const manifest = facts.manifests.find((each) => each.key === key);
      const id = parseManifestKey(key)?.id ?? key;
      if (manifest === undefined || hasBegun(manifest, facts, tombstones) || (await whatIsWrong(core, manifest))) {
        gone.push(id);
        continue;
      }
      snapshots.push(id);
      for (const hanging of hangingOn(manifest, facts, tombstones)) {
        const all = keys.get(hanging.tombstone.id) ?? new Set<string>();
        for (const each of hanging.keys) all.add(each);
        keys.set(hanging.tombstone.id, all);
      }
    }
  }
  if (snapshots.length === 0 && gone.length > 0) {
    fail('OBJECT_MISSING', `the deletion of '${tombstone.id}' has begun: ${gone.join(', ')} cannot be brought back`, {
      hint: 'what is left of it serves nothing; see `holdfast list` for the snapshots that are there',
    });
  }
  // Log and garbage hang on nothing that could be broken; generations without a snapshot serve nobody.
  const own = keys.get(tombstone.id) as Set<string>;
  for (const [key] of [...tombstone.list.log, ...tombstone.list.packs]) own.add(key);
  if (gone.length === 0) for (const { path } of tombstone.list.generations) own.add(path);
  for (const key of tombstone.begun) own.delete(key);
  for (const [id, named] of keys) {
    if (named.size === 0) continue;
    await lease.check();
    await putRelease(core, copies, { ...request, id, token: lease.token }, [...named]);
  }
  return { id: tombstone.id, kind: 'tombstone', snapshots, gone };
}

/** Why no copy holds it whole; `undefined` when one does. */
async function whatIsWrong(core: VaultCore, { header, copies }: ManifestFacts): Promise<HoldfastError | undefined> {
  let failure: HoldfastError | undefined;
  for (const copy of copies) {
    try {
      await verifyCopy(core, header.component, header.id, copy);
      return undefined;
    } catch (error) {
      failure = toHoldfastError(error);
    }
  }
  return failure;
}

/** Whether a deletion of anything that it needs is or may be under way, perhaps of a process that stands still. */
function hasBegun(manifest: ManifestFacts, facts: ComponentFacts, tombstones: readonly Tombstone[]): boolean {
  return hangingOn(manifest, facts, tombstones).some(({ tombstone, keys }) =>
    keys.some((key) => tombstone.begun.has(key)),
  );
}

/** Throws `NOT_FOUND`, or why no copy will hold the snapshot whole: a hold on what is half gone, or about to go, would be a lie. */
export async function requireWholeSomewhere(
  core: VaultCore,
  facts: ComponentFacts,
  tombstones: readonly Tombstone[],
  snapshot: string,
): Promise<void> {
  const manifest = facts.manifests.find(({ header }) => header.id === snapshot);
  if (manifest === undefined) return fail('NOT_FOUND', `there is no snapshot '${snapshot}' of ${facts.component}`);
  if (hasBegun(manifest, facts, tombstones)) {
    fail('OBJECT_MISSING', `the deletion of snapshot '${snapshot}' has begun: it cannot be kept any more`, {
      hint: 'what is still there can be restored while it is; take a new backup of what must be kept',
    });
  }
  const wrong = await whatIsWrong(core, manifest);
  if (wrong !== undefined) throw wrong;
}
