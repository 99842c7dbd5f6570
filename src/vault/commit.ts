// The commit of a snapshot: everything confirmed on a copy, then its manifest there; and the same again for an attempt that repeats it.

import type { ComponentId } from '../domain/component.ts';
import { type ErrorCode, fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import { type Copy, meetsPolicy, requirePolicy } from './copies.ts';
import { listAll, putSame, type VaultCore } from './core.ts';
import type { Generation, Holdings } from './generation.ts';
import { parseManifestKey, snapshotsPrefix } from './layout.ts';
import {
  type Manifest,
  type ManifestBody,
  type ManifestHeader,
  openManifest,
  sealManifest,
  sha256Of,
} from './manifest.ts';
import { fill, type Lacking, lackingOn, openVerified, replicateSnapshot, requireWhole } from './replicate.ts';
import { requireNotNamed } from './retention/named.ts';
import type {
  CommitReady,
  Snapshot,
  SnapshotId,
  SnapshotOnCopies,
  SnapshotRequest,
  SnapshotStatistics,
  SnapshotWriter,
} from './types.ts';
import type { Uploads } from './uploads.ts';
import { getThrough } from './versions.ts';

/** A copy that lacks more than this of older packs is left to catch-up, unless the policy needs it now. */
const FILL_AT_ONCE_BYTES = 512 * 1024 * 1024;

type CommitEnd = Parameters<SnapshotWriter['commit']>[0];

export interface CommitParts {
  readonly request: SnapshotRequest;
  readonly generation: Generation;
  readonly uploads: Uploads;
  readonly holdings: ReadonlyMap<Copy, Holdings>;
  readonly statistics: SnapshotStatistics;
  readonly body: ManifestBody;
  readonly end: CommitEnd;
}

export async function commitSnapshot(core: VaultCore, parts: CommitParts): Promise<SnapshotOnCopies> {
  const { request, uploads, end } = parts;
  const repeated = await completeSnapshot(core, request.component, request.id, end.ready);
  if (repeated) return repeated;
  const manifest = await sealManifest(core, await nextHeader(core, parts), parts.body);
  await prepareCopies(core, parts);
  requirePolicy(core.policy, uploads.alive, `snapshot '${request.id}' is not committed`, uploads.firstFailure);
  const prepared = uploads.alive;
  await requireNotNamed(core, await core.copies.ready(), manifest);
  await onEach(uploads, (copy) => putSame(copy.store, manifest.key, manifest.bytes));
  await onEach(uploads, (copy) => verifyCommitted(core, manifest, copy));
  requirePolicy(core.policy, uploads.alive, `snapshot '${request.id}' is not on enough copies`, uploads.firstFailure);
  core.logger.info(
    { snapshot: request.id, copies: names(uploads.alive), tried: names(prepared) },
    'snapshot committed',
  );
  return onCopies(core, manifest.header, uploads.alive);
}

/**
 * When a manifest with this id is on any copy that answers: completes the snapshot on the others and gives it; `undefined` when none has it.
 * Throws `POLICY_UNMET` when it cannot be completed on enough.
 */
export async function completeSnapshot(
  core: VaultCore,
  component: ComponentId,
  id: SnapshotId,
  ready?: CommitReady,
): Promise<SnapshotOnCopies | undefined> {
  const found = await findManifest(core, component, id);
  if (!found) return undefined;
  const { manifest, holders, asked } = found;
  await requireNotNamed(core, asked, manifest);
  const present = [...holders];
  let failure: unknown;
  const mayLeave = () => meetsPolicy(core.policy, present);
  // At once: one that stands still must not keep another from making it enough.
  await Promise.all(
    asked
      .filter((copy) => !holders.includes(copy))
      .map(async (target) => {
        try {
          await replicateSnapshot(core, manifest, { sources: holders, target }, (copy) => ready?.(copy, mayLeave));
          present.push(target);
        } catch (error) {
          failure = core.copies.failed(target, error);
        }
      }),
  );
  requirePolicy(core.policy, present, `snapshot '${id}' is not on enough copies`, failure);
  return onCopies(core, manifest.header, present);
}

/** The manifest of a snapshot, the copies that list it and the copies that answered; `undefined` when none lists it. */
export async function findManifest(
  core: VaultCore,
  component: ComponentId,
  id: SnapshotId,
): Promise<{ manifest: Manifest; holders: Copy[]; asked: Copy[] } | undefined> {
  const listings = await core.copies.fromEach('looking for a snapshot', (copy) => manifestKeys(copy, component));
  const asked = core.copies.all.filter((copy) => listings.has(copy.description.name));
  const keyOf = (copy: Copy) => listings.get(copy.description.name)?.find((key) => parseManifestKey(key)?.id === id);
  const key = asked.map(keyOf).find((each) => each !== undefined);
  if (key === undefined) return undefined;
  const holders = asked.filter((copy) => keyOf(copy) === key);
  return { manifest: await openVerified(core, holders, key, (each) => openManifest(core, key, each)), holders, asked };
}

/** One snapshot by its id, with the copies that list it: reads its manifest alone, however many there are. */
export async function findSnapshot(
  core: VaultCore,
  component: ComponentId,
  id: SnapshotId,
): Promise<SnapshotOnCopies | undefined> {
  const found = await findManifest(core, component, id);
  if (!found) return undefined;
  const { manifest, holders, asked } = found;
  const { previous: _previous, ...snapshot } = manifest.header;
  const stateOf = (copy: Copy) => (holders.includes(copy) ? 'present' : asked.includes(copy) ? 'absent' : 'away');
  const copies = Object.fromEntries(core.copies.all.map((copy) => [copy.description.name, stateOf(copy)] as const));
  return { ...snapshot, copies };
}

/** Manifest keys in the order of their sequence. */
export async function manifestKeys(copy: Copy, component: ComponentId): Promise<string[]> {
  const infos = await listAll(copy.store, snapshotsPrefix(component));
  return infos.map(({ key }) => key).filter((key) => parseManifestKey(key) !== undefined);
}

async function nextHeader(core: VaultCore, parts: CommitParts): Promise<ManifestHeader> {
  const { request, generation, statistics, end } = parts;
  const listings = await core.copies.fromEach('numbering a snapshot', (copy) => manifestKeys(copy, request.component));
  const predecessor = await newestManifest(core, request.component, listings);
  const previous = predecessor === undefined ? null : sha256Of(predecessor.bytes);
  const sequence = (predecessor?.header.sequence ?? 0) + 1;
  return {
    id: request.id,
    component: request.component,
    kind: request.kind,
    class: request.class,
    generation: generation.name,
    sequence,
    previous,
    from: request.from,
    to: end.to,
    state: end.state,
    host: request.host,
    statistics,
    engine: end.engine,
  };
}

/** What anybody who may write can put under the name of a manifest, or cover there: it must not keep others from being taken. */
const NO_MANIFEST: readonly ErrorCode[] = ['OBJECT_DAMAGED', 'OBJECT_MISSING', 'VAULT_FORMAT'];

/** The one with the highest number that is a manifest, by what every copy that lists it says. */
async function newestManifest(
  core: VaultCore,
  component: ComponentId,
  listings: ReadonlyMap<string, readonly string[]>,
): Promise<Manifest | undefined> {
  for (const key of [...new Set([...listings.values()].flat())].sort().reverse()) {
    const holders = core.copies.all.filter((copy) => listings.get(copy.description.name)?.includes(key));
    try {
      return await openVerified(core, holders, key, (each) => openManifest(core, key, each));
    } catch (error) {
      if (!isHoldfastError(error, ...NO_MANIFEST)) throw error;
      core.logger.error({ component, key }, `this is no manifest of ours and is passed over: ${error.message}`);
    }
  }
  return undefined;
}

/** Every copy that keeps up gets what it lacks of older packs; those that lack much only when the policy needs them. */
async function prepareCopies(core: VaultCore, parts: CommitParts): Promise<void> {
  const { uploads, holdings, body } = parts;
  const needs = new Map<Copy, Lacking>();
  await onEach(uploads, async (copy) => {
    const known = new Map([[parts.generation.path, holdings.get(copy) as Holdings]]);
    needs.set(copy, await lackingOn(copy, parts.request.component, body, known));
  });
  const isCheap = (copy: Copy) => (needs.get(copy)?.bytes ?? 0) <= FILL_AT_ONCE_BYTES;
  const late = uploads.alive.filter((copy) => !isCheap(copy));
  const able = new Set(late);
  // A copy can be done without while those that are prepared, and those that were not tried yet, are enough.
  const mayLeave = () =>
    meetsPolicy(
      core.policy,
      uploads.alive.filter((copy) => able.has(copy)),
    );
  const prepareOne = async (copy: Copy) => {
    able.delete(copy);
    await prepare(core, parts, copy, needs.get(copy) as Lacking, mayLeave);
    able.add(copy);
  };
  await onEach(uploads, prepareOne, isCheap);
  for (const copy of late) {
    if (meetsPolicy(core.policy, uploads.alive.filter(isCheap))) {
      uploads.leaveBehind(copy, behind(copy, needs.get(copy) as Lacking));
    } else await onEach(uploads, prepareOne, (each) => each === copy);
  }
}

function behind(copy: Copy, what: Lacking): HoldfastError {
  return new HoldfastError('OBJECT_MISSING', `'${copy.description.name}' lacks ${what.bytes} bytes of older packs`, {
    hint: 'it catches up by itself; `holdfast copies catch-up` does it now',
  });
}

async function prepare(
  core: VaultCore,
  parts: CommitParts,
  target: Copy,
  what: Lacking,
  mayLeave: () => boolean,
): Promise<void> {
  const sources = core.copies.all.filter((copy) => copy !== target && parts.holdings.has(copy));
  await fill(core, parts.request.component, { sources, target, signal: parts.uploads.signal }, what);
  await requireWhole(core, parts.request.component, parts.body, target);
  await parts.end.ready?.(target.description.name, mayLeave);
}

/** What a deletion that raced with this run took away is seen here, not by a restore. */
async function verifyCommitted(core: VaultCore, manifest: Manifest, copy: Copy): Promise<void> {
  await getThrough(copy.store, manifest.key, (bytes) => {
    if (bytes.equals(manifest.bytes)) return;
    fail('OBJECT_DAMAGED', `manifest '${manifest.key}' on '${copy.description.name}' is not what was written`);
  });
  await requireWhole(core, manifest.header.component, manifest.body, copy);
}

async function onEach(
  uploads: Uploads,
  work: (copy: Copy) => Promise<void>,
  which: (copy: Copy) => boolean = () => true,
): Promise<void> {
  await Promise.all(
    uploads.alive.filter(which).map(async (copy) => {
      try {
        await work(copy);
      } catch (error) {
        uploads.signal.throwIfAborted();
        uploads.leaveBehind(copy, error);
      }
    }),
  );
}

async function onCopies(core: VaultCore, snapshot: Snapshot, present: readonly Copy[]): Promise<SnapshotOnCopies> {
  const ready = await core.copies.ready();
  const stateOf = (copy: Copy) => (present.includes(copy) ? 'present' : ready.includes(copy) ? 'absent' : 'away');
  const copies = Object.fromEntries(core.copies.all.map((copy) => [copy.description.name, stateOf(copy)] as const));
  return { ...snapshot, copies };
}

function names(copies: readonly Copy[]): string[] {
  return copies.map((copy) => copy.description.name);
}
