// The snapshots of a vault: listed over all copies that answer, opened for writing and for reading.

import { type ComponentId, componentKinds } from '../domain/component.ts';
import { type ErrorCode, fail, toHoldfastError } from '../errors/index.ts';
import { ChunkIndex } from './chunk-index.ts';
import { gearTable } from './chunker.ts';
import { type Copy, requirePolicy } from './copies.ts';
import type { VaultCore } from './core.ts';
import { type Holdings, holdingsOf, joinGeneration, noteStored, putGenerationKey } from './generation.ts';
import { knownChunks } from './known-chunks.ts';
import { checkSnapshotId, manifestKey, parseManifestKey, snapshotsPrefix } from './layout.ts';
import { type ManifestHeader, openManifest, readManifestHeader } from './manifest.ts';
import { openVerified } from './replicate.ts';
import { openReader } from './snapshot-reader.ts';
import { PackingSnapshotWriter } from './snapshot-writer.ts';
import type { SnapshotId, SnapshotOnCopies, SnapshotReader, SnapshotRequest, SnapshotWriter } from './types.ts';
import { Uploads } from './uploads.ts';

/** One manifest that cannot be read must not hide the others of its copy. */
const UNREADABLE: readonly ErrorCode[] = ['OBJECT_DAMAGED', 'OBJECT_MISSING', 'VAULT_FORMAT'];

/** Headers by copy, key and size: a manifest never changes, so each is read once per process. */
export type HeaderCache = Map<string, ManifestHeader>;

export async function writeSnapshot(core: VaultCore, request: SnapshotRequest): Promise<SnapshotWriter> {
  checkSnapshotId(request.id);
  const ready = await core.copies.ready();
  requirePolicy(core.policy, ready, 'a snapshot cannot be taken');
  const generation = await joinGeneration(core, request, ready);
  const holdings = new Map<Copy, Holdings>();
  let failure: unknown;
  for (const copy of ready) {
    try {
      await putGenerationKey(generation, copy);
      holdings.set(copy, await holdingsOf(copy.store, generation.path));
    } catch (error) {
      failure = core.copies.failed(copy, error);
    }
  }
  requirePolicy(core.policy, [...holdings.keys()], 'a snapshot cannot be taken', failure);
  const uploads = new Uploads(core.copies, core.policy, [...holdings.keys()], (copy, key, sizeBytes) =>
    noteStored(holdings.get(copy) as Holdings, generation.path, key, sizeBytes),
  );
  const index = new ChunkIndex({ directory: core.scratchDirectory });
  try {
    const stored = await knownChunks({ core, request, generation, holdings, uploads }, index);
    const gear = gearTable(core.keys.derived('chunking'));
    return new PackingSnapshotWriter({ core, request, generation, stored, index, holdings, uploads, gear });
  } catch (error) {
    index.close();
    await uploads.abandon();
    throw error;
  }
}

export async function listSnapshots(
  core: VaultCore,
  cache: HeaderCache,
  component?: ComponentId,
): Promise<readonly SnapshotOnCopies[]> {
  const answers = await core.copies.fromEach('listing snapshots', (copy) => headersOn(core, cache, copy, component));
  const snapshots = new Map<string, ManifestHeader>();
  for (const headers of answers.values()) {
    for (const header of headers.values()) {
      const known = snapshots.get(header.id);
      if (!known || header.sequence < known.sequence) snapshots.set(header.id, header);
    }
  }
  const onCopies = [...snapshots.values()].map(({ previous: _previous, ...snapshot }) => {
    const stateOf = (copy: Copy) => {
      const headers = answers.get(copy.description.name);
      return headers === undefined ? 'away' : headers.has(snapshot.id) ? 'present' : 'absent';
    };
    const copies = Object.fromEntries(core.copies.all.map((copy) => [copy.description.name, stateOf(copy)] as const));
    return { ...snapshot, copies };
  });
  return onCopies.sort((a, b) => (a.from < b.from ? 1 : a.from > b.from ? -1 : b.sequence - a.sequence));
}

/** By snapshot id. A manifest that cannot be read is reported and left out: what it says cannot be known. */
async function headersOn(
  core: VaultCore,
  cache: HeaderCache,
  copy: Copy,
  component?: ComponentId,
): Promise<Map<string, ManifestHeader>> {
  const headers = new Map<string, ManifestHeader>();
  for await (const info of manifestInfos(copy, component)) {
    const place = `${copy.description.name} ${info.key} ${info.sizeBytes}`;
    try {
      const header = cache.get(place) ?? (await readManifestHeader(core, copy.store, info.key, info.sizeBytes));
      cache.set(place, header);
      headers.set(header.id, header);
    } catch (error) {
      const { code, message } = toHoldfastError(error);
      if (!UNREADABLE.includes(code)) throw error;
      core.logger.error({ copy: copy.description.name, key: info.key, code }, message);
    }
  }
  return headers;
}

async function* manifestInfos(copy: Copy, component?: ComponentId) {
  const components = component === undefined ? await componentsOn(copy) : [component];
  for (const each of components) {
    for await (const info of copy.store.list(snapshotsPrefix(each))) if (parseManifestKey(info.key)) yield info;
  }
}

/** Components that own anything on this copy, found by skipping from one to the next. */
export async function componentsOn(copy: Copy): Promise<ComponentId[]> {
  const components: ComponentId[] = [];
  for (const kind of componentKinds) {
    for (let after: string | undefined; ; ) {
      const first = await firstKey(copy, `${kind}/`, after);
      if (first === undefined) break;
      const component = first.split('/').slice(0, 2).join('/') as ComponentId;
      components.push(component);
      after = `${component}/~`;
    }
  }
  return components;
}

export async function firstKey(copy: Copy, prefix: string, after?: string): Promise<string | undefined> {
  for await (const { key } of copy.store.list(prefix, after === undefined ? {} : { after })) return key;
  return undefined;
}

/** `from`: the copy to prefer. Throws `NOT_FOUND`. */
export async function openSnapshot(
  core: VaultCore,
  cache: HeaderCache,
  id: SnapshotId,
  from?: string,
): Promise<SnapshotReader> {
  const snapshot = (await listSnapshots(core, cache)).find((each) => each.id === id);
  if (!snapshot) fail('NOT_FOUND', `there is no snapshot '${id}'`);
  const ready = await core.copies.ready();
  if (from !== undefined) core.copies.get(from);
  const isPresent = (copy: Copy) => snapshot.copies[copy.description.name] === 'present';
  // Copies without the manifest may still have packs that another lacks: they come last.
  const rank = (copy: Copy) => (isPresent(copy) ? (copy.description.name === from ? 0 : 1) : 2);
  const copies = ready.sort((a, b) => rank(a) - rank(b));
  const key = manifestKey(snapshot.component, snapshot.sequence, snapshot.id);
  const manifest = await openVerified(core, copies.filter(isPresent), key, (each) => openManifest(core, key, each));
  return openReader(core, manifest, copies);
}
