// What tombstones name, for those who write: a backup that would count on it, and a catch-up that would bring it back.

import { fail } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import type { VaultCore } from '../core.ts';
import type { Manifest } from '../manifest.ts';
import { generationPathsOf, packsOf } from './facts.ts';
import { namedKeys } from './select.ts';
import { readTombstones, type TombstoneCache } from './tombstone.ts';

/** Opened tombstones of each vault that is open in this process. */
const caches = new WeakMap<VaultCore, TombstoneCache>();

/** Keys of objects, and paths of generations, that a tombstone on any of these copies names. */
export async function namedOn(core: VaultCore, copies: readonly Copy[]): Promise<ReadonlySet<string>> {
  const cache = caches.get(core) ?? new Map();
  caches.set(core, cache);
  return namedKeys(await readTombstones(core, copies, { cache, unreadable: 'skip' }));
}

/** Why the snapshot must not be put anywhere; `undefined` when nothing it counts on is to be deleted. */
export function namedIn(named: ReadonlySet<string>, manifest: Manifest): string | undefined {
  const packs = new Set(packsOf(manifest));
  const paths = generationPathsOf(manifest);
  if (named.has(manifest.key)) return manifest.key;
  const path = paths.find((each) => named.has(each));
  if (path !== undefined) return path;
  return [...named].find((key) => packs.has(key.slice(-64)) && paths.some((each) => key.startsWith(`${each}/`)));
}

/** Throws `FENCED` when a tombstone names something that the snapshot counts on. Asked right before a manifest is put. */
export async function requireNotNamed(core: VaultCore, copies: readonly Copy[], manifest: Manifest): Promise<void> {
  const name = namedIn(await namedOn(core, copies), manifest);
  if (name === undefined) return;
  fail('FENCED', `snapshot '${manifest.header.id}' counts on '${name}', which is to be deleted`, {
    hint: 'take the backup again: a new one begins where nothing is to be deleted',
  });
}
