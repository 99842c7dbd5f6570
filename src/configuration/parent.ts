// What a new snapshot goes on from: the files of the newest one that can be read, and the secrets and the key of the markers of the newest that has them.

import { isHoldfastError } from '../errors/index.ts';
import type { SnapshotOnCopies, SnapshotReader, TreeEntry, Vault } from '../vault/index.ts';
import { knownMarkerKey } from './marker-key.ts';
import { isBelowRoot, knownSecretsOf } from './own-entries.ts';
import type { Place } from './place.ts';
import type { ConfigurationDetails } from './types.ts';

const UNREADABLE = ['OBJECT_MISSING', 'OBJECT_DAMAGED', 'NOT_FOUND'] as const;

/** The newest one of the class whose tree can be read to its end: a damaged one must not stand in the way of a good one. */
export async function readableParent(
  vault: Vault,
  snapshots: readonly SnapshotOnCopies[],
  ofClass: string,
): Promise<SnapshotReader | undefined> {
  for (const { id } of snapshots.filter((each) => each.class === ofClass)) {
    let reader: SnapshotReader | undefined;
    try {
      reader = await vault.openSnapshot(id);
      for await (const _ of reader.entryBatches());
      return reader;
    } catch (error) {
      reader?.close();
      if (!isHoldfastError(error, ...UNREADABLE)) throw error;
    }
  }
  return undefined;
}

export interface Remembered {
  /** Of the markers; absent when there is none yet, or none that can be read. */
  readonly key?: Uint8Array;
  /** What was found to be secret until now. */
  readonly secrets: readonly string[];
  /** In words, what could not be read of it. */
  readonly lost: readonly string[];
}

/** Each of the newest one of the class that has it: what is damaged in one snapshot is in the one before. */
export async function rememberedBy(
  vault: Vault,
  place: Place,
  snapshots: readonly SnapshotOnCopies[],
  ofClass: string,
): Promise<Remembered> {
  let key: Uint8Array | undefined;
  const lost: string[] = [];
  for (const { id } of snapshots.filter((each) => each.class === ofClass)) {
    let reader: SnapshotReader | undefined;
    try {
      reader = await vault.openSnapshot(id);
      key ??= await knownMarkerKey(place, reader);
      return { ...(key && { key }), secrets: await knownSecretsOf(reader), lost };
    } catch (error) {
      if (!isHoldfastError(error, ...UNREADABLE)) throw error;
      lost.push(`what '${id}' knew to be secret cannot be read (${error.message}): older knowledge stands for it`);
    } finally {
      reader?.close();
    }
  }
  return { ...(key && { key }), secrets: [], lost };
}

export async function* filesOf(reader: SnapshotReader): AsyncGenerator<readonly TreeEntry[]> {
  const { roots } = reader.snapshot.engine as unknown as ConfigurationDetails;
  for await (const batch of reader.entryBatches()) yield batch.filter(({ path: name }) => isBelowRoot(name, roots));
}
