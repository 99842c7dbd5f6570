// The snapshot that a new one goes on from: the newest that can be read, with its files, its secrets, and the key of its markers.

import { isHoldfastError } from '../errors/index.ts';
import type { SnapshotOnCopies, SnapshotReader, TreeEntry, Vault } from '../vault/index.ts';
import { isBelowRoot } from './own-entries.ts';
import type { ConfigurationDetails } from './types.ts';

/** The newest one of the class whose tree can be read to its end: a damaged one must not stand in the way of a good one, and what was known to be a secret must not be forgotten with it. */
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
      if (!isHoldfastError(error, 'OBJECT_MISSING', 'OBJECT_DAMAGED', 'NOT_FOUND')) throw error;
    }
  }
  return undefined;
}

export async function* filesOf(reader: SnapshotReader): AsyncGenerator<readonly TreeEntry[]> {
  const { roots } = reader.snapshot.engine as unknown as ConfigurationDetails;
  for await (const batch of reader.entryBatches()) yield batch.filter(({ path: name }) => isBelowRoot(name, roots));
}
