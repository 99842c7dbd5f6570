// The heads of a vault: per copy and component the manifest with the highest number that opens, and the names of all.

import type { ComponentId } from '../domain/component.ts';
import { type Head, manifestName, type SeenHead } from '../domain/heads.ts';
import { type ErrorCode, isHoldfastError } from '../errors/index.ts';
import { manifestKeys } from './commit.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import { parseManifestKey } from './layout.ts';
import { openManifest, sha256Of } from './manifest.ts';
import { componentsOn } from './snapshots.ts';
import { readThrough } from './versions.ts';

/** What anybody may have put under the name of a manifest: it says nothing. */
const UNREADABLE: readonly ErrorCode[] = ['OBJECT_MISSING', 'OBJECT_DAMAGED', 'VAULT_FORMAT', 'VAULT_OTHER'];

export type HeadCache = Map<string, Head>;
export type CopyHeads = ReadonlyMap<ComponentId, SeenHead>;

/** By name of the copies that answer. Throws `POLICY_UNMET` when none does. */
export function readHeads(core: VaultCore, cache: HeadCache): Promise<ReadonlyMap<string, CopyHeads>> {
  return core.copies.fromEach('reading the newest snapshots', async (copy) => {
    const heads = new Map<ComponentId, SeenHead>();
    for (const component of await componentsOn(copy)) {
      const keys = await manifestKeys(copy, component);
      const names = keys.flatMap((key) => parseManifestKey(key) ?? []).map(manifestName);
      heads.set(component, { head: await highest(core, cache, copy, keys), names });
    }
    return heads;
  });
}

async function highest(
  core: VaultCore,
  cache: HeadCache,
  copy: Copy,
  keys: readonly string[],
): Promise<Head | undefined> {
  for (const key of keys.toReversed()) {
    const place = `${copy.description.name} ${key}`;
    const head = cache.get(place) ?? (await headOf(core, copy, key));
    if (head === undefined) continue;
    cache.set(place, head);
    return head;
  }
  return undefined;
}

async function headOf(core: VaultCore, copy: Copy, key: string): Promise<Head | undefined> {
  try {
    const { header, bytes } = await readThrough(copy.store, key, async (get) => openManifest(core, key, await get()));
    return { sequence: header.sequence, id: header.id, sha256: sha256Of(bytes) };
  } catch (error) {
    if (!isHoldfastError(error, ...UNREADABLE)) throw error;
    return undefined;
  }
}
