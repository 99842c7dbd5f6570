// The order in which test files are begun: what takes minutes first, so that nothing long is left for the end.

/**
 * Minutes by the clock on two cores, rounded up, of the files that take longer than one; read from the end of a complete run, which names its
 * longest. A file that is gone or has become short costs nothing here.
 */
const minutes = {
  'test/integration/recovery/swap.test.ts': 6,
  'test/faults/retention-model.test.ts': 5,
  'test/acceptance/zombie.test.ts': 5,
  'test/acceptance/integrity.test.ts': 5,
  'test/acceptance/cut-off.test.ts': 5,
  'test/faults/retention-sweep.test.ts': 3,
  'test/faults/vault-sweep.test.ts': 3,
  'test/acceptance/standalone.test.ts': 3,
  'test/acceptance/quickstart.test.ts': 3,
  'test/unit/stores/s3-connections.test.ts': 2,
  'test/integration/files/in-place.test.ts': 2,
  'test/acceptance/kills-restore.test.ts': 2,
  'test/acceptance/secrets.test.ts': 2,
  'test/acceptance/kills.test.ts': 2,
  'test/integration/files-chain.test.ts': 2,
  'test/integration/postgres-incremental-stream.test.ts': 2,
  'test/integration/postgres-becomes-full.test.ts': 2,
  'test/integration/configuration/resisting.test.ts': 2,
  'test/integration/configuration/repository.test.ts': 2,
  'test/integration/configuration-chain.test.ts': 2,
};

/** Of the rest, those that bring servers and wait for them come before those that only compute. */
const folders = ['test/acceptance/', 'test/integration/', 'test/faults/', 'test/workflow/', 'test/'];

/** @param {readonly string[]} files relative to the repository */
export function longestFirst(files) {
  const folderOf = (file) => folders.findIndex((folder) => file.startsWith(folder));
  const rank = (one, other) => (minutes[other] ?? 0) - (minutes[one] ?? 0) || folderOf(one) - folderOf(other);
  return [...files].sort((one, other) => rank(one, other) || (one < other ? -1 : 1));
}
