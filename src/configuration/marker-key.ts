// The key of a component's markers: kept beside the repository and in every snapshot, so that markers stay the same when either is lost.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SnapshotReader } from '../vault/index.ts';
import { MARKER_KEY, readOwn } from './own-entries.ts';
import { type Place, replaceFile } from './place.ts';

export const KEY_BYTES = 32;

/** `known`: of a snapshot; without one the key here, or a new one. The lock must be held. */
export async function markerKeyOf(place: Place, known: Uint8Array | undefined): Promise<Uint8Array> {
  const key = known ?? (await knownMarkerKey(place, undefined)) ?? randomBytes(KEY_BYTES);
  await replaceFile(place.markerKey, key);
  return key;
}

/** Without making one. */
export async function knownMarkerKey(
  { markerKey }: Place,
  newest: SnapshotReader | undefined,
): Promise<Buffer | undefined> {
  const here = await readFile(markerKey).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (here?.length === KEY_BYTES) return here;
  const kept = newest && (await readOwn(newest, MARKER_KEY));
  return kept?.length === KEY_BYTES ? kept : undefined;
}
