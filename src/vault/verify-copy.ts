// Whether one copy by itself holds a snapshot: its own manifest, every pack with its size, and the tree, with no help from the others.

import type { ComponentId } from '../domain/component.ts';
import { fail } from '../errors/index.ts';
import { manifestKeys } from './commit.ts';
import { Contents } from './contents.ts';
import type { VaultCore } from './core.ts';
import { parseManifestKey } from './layout.ts';
import { openManifest } from './manifest.ts';
import { requireWhole } from './replicate.ts';
import { openReader } from './snapshot-reader.ts';
import type { SnapshotId } from './types.ts';
import { readThrough } from './versions.ts';

/** Throws what is wrong with it there: `OBJECT_MISSING`, `OBJECT_DAMAGED`, or why the store cannot say. */
export async function verifyCopy(core: VaultCore, component: ComponentId, id: SnapshotId, name: string): Promise<void> {
  const copy = await core.copies.require(name);
  const key = (await manifestKeys(copy, component)).find((each) => parseManifestKey(each)?.id === id);
  if (key === undefined) return fail('OBJECT_MISSING', `snapshot '${id}' is not on '${name}'`);
  const manifest = await readThrough(copy.store, key, async (get) => openManifest(core, key, await get()));
  // A reader that may ask other copies would call a broken copy good.
  const alone = [copy];
  await requireWhole(core, component, manifest.body, copy);
  const contents = new Contents();
  const reader = await openReader(core, manifest, alone);
  try {
    for await (const entry of reader.entries()) contents.add(entry);
  } finally {
    reader.close();
  }
  contents.require(manifest.header, `snapshot '${id}' on '${name}'`);
}
