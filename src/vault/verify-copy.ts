// Whether one copy by itself holds a snapshot: its own manifest, every pack with its size, and the tree, with no help from the others.

import type { ComponentId } from '../domain/component.ts';
import { fail } from '../errors/index.ts';
import { manifestKeys } from './commit.ts';
import { Contents } from './contents.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import { parseManifestKey } from './layout.ts';
import { type Manifest, openManifest } from './manifest.ts';
import { requireWhole } from './replicate.ts';
import { openReader } from './snapshot-reader.ts';
import type { SnapshotId } from './types.ts';
import { readThrough } from './versions.ts';

/** Throws what is wrong with it there: `OBJECT_MISSING`, `OBJECT_DAMAGED`, or why the store cannot say. */
export async function verifyCopy(core: VaultCore, component: ComponentId, id: SnapshotId, name: string): Promise<void> {
  const { copy, manifest } = await requireCopy(core, component, id, name);
  // A reader that may ask other copies would call a broken copy good.
  const reader = await openReader(core, manifest, [copy]);
  const contents = new Contents();
  try {
    for await (const entry of reader.entries()) contents.add(entry);
  } finally {
    reader.close();
  }
  contents.require(manifest.header, `snapshot '${id}' on '${name}'`);
}

/** The same by its manifest, keys and listings alone: no pack is read. */
export async function requireCopy(
  core: VaultCore,
  component: ComponentId,
  id: SnapshotId,
  name: string,
): Promise<{ readonly copy: Copy; readonly manifest: Manifest }> {
  const copy = await core.copies.require(name);
  const key = (await manifestKeys(copy, component)).find((each) => parseManifestKey(each)?.id === id);
  if (key === undefined) return fail('OBJECT_MISSING', `snapshot '${id}' is not on '${name}'`);
  const manifest = await readThrough(copy.store, key, async (get) => openManifest(core, key, await get()));
  await requireWhole(core, component, manifest.body, copy);
  return { copy, manifest };
}
