// A snapshot of configuration read as snapshots of files are: what is below no root stands in its place among the others, though it was written last.

import { comesBefore } from '../files/index.ts';
import type { ChoosingVault, SnapshotId, SnapshotReader, TreeEntry, Vault } from '../vault/index.ts';
import { isBelowRoot } from './own-entries.ts';
import type { ConfigurationDetails } from './types.ts';

export type SnapshotSource = ChoosingVault & Pick<Vault, 'openSnapshot'>;

export function readingInWalkOrder(vault: SnapshotSource): SnapshotSource {
  return {
    listSnapshots: (component) => vault.listSnapshots(component),
    conditions: () => vault.conditions(),
    requireCopy: (component, id, copy) => vault.requireCopy(component, id, copy),
    openSnapshot: async (id: SnapshotId, from?: string) => inWalkOrder(await vault.openSnapshot(id, from)),
  };
}

export function inWalkOrder(reader: SnapshotReader): SnapshotReader {
  const batches = () => orderedBatches(reader);
  return {
    snapshot: reader.snapshot,
    entries: async function* entries() {
      for await (const batch of batches()) yield* batch;
    },
    entryBatches: batches,
    read: (entry) => reader.read(entry),
    restoreFiles: (files, options) => reader.restoreFiles(files, options),
    get elsewhere() {
      return reader.elsewhere;
    },
    close: () => reader.close(),
  };
}

async function* orderedBatches(reader: SnapshotReader): AsyncGenerator<readonly TreeEntry[]> {
  const { roots } = reader.snapshot.engine as unknown as ConfigurationDetails;
  const isCaptured = ({ path }: TreeEntry) => isBelowRoot(path, roots);
  const others: TreeEntry[] = [];
  for await (const batch of reader.entryBatches()) others.push(...batch.filter((entry) => !isCaptured(entry)));
  others.sort((a, b) => (comesBefore(a.path, b.path) ? -1 : 1));
  let next = 0;
  for await (const batch of reader.entryBatches()) {
    const ordered: TreeEntry[] = [];
    for (const entry of batch.filter(isCaptured)) {
      for (; next < others.length && comesBefore((others[next] as TreeEntry).path, entry.path); next++) {
        ordered.push(others[next] as TreeEntry);
      }
      ordered.push(entry);
    }
    yield ordered;
  }
  yield others.slice(next);
}
