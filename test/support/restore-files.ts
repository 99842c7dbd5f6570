// Snapshots with small, large and repetitive files, and restores of them into directories of their own.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import type { ByteRange, GetOptions } from '../../src/stores/store.ts';
import type { RestoredFiles, RestoreFilesOptions, SnapshotReader, TreeEntry, Vault } from '../../src/vault/index.ts';
import { DelegatingStore } from './delegating-store.ts';
import { type Files, seededBytes, snapshotId, type TestVault, takeSnapshot, testVault } from './vault.ts';

export const MiB = 1024 * 1024;
const small = Object.fromEntries(
  Array.from({ length: 60 }, (_, number) => [`small/${number}`, seededBytes(`small ${number}`, number * 997)]),
);
export const files: Files = {
  ...small,
  // What an earlier restore left unfinished, and a later snapshot took along.
  'small/7.00000009.holdfast-part': seededBytes('left', 5000),
  'base/1/16384': seededBytes('relation', 3 * MiB),
  'base/1/16385': Buffer.alloc(20 * MiB, seededBytes('repeated', 70_000)),
  'base/1/16386': seededBytes('large', 30 * MiB),
  empty: Buffer.alloc(0),
};

export async function* filesOf(reader: SnapshotReader): AsyncGenerator<{ entry: TreeEntry }> {
  for await (const entry of reader.entries()) if (entry.type === 'file') yield { entry };
}

/** Restores all files of that snapshot. */
export async function restore(
  vault: Vault,
  directory: string,
  options: Partial<RestoreFilesOptions> & { from?: string } = {},
): Promise<RestoredFiles> {
  const { from, ...rest } = options;
  const reader = await vault.openSnapshot(snapshotId(1), from);
  try {
    return await reader.restoreFiles(filesOf(reader), { directory, ...rest });
  } finally {
    reader.close();
  }
}

export async function contentOf(directory: string): Promise<Files> {
  const found: Record<string, Buffer> = {};
  for (const item of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!item.isFile()) continue;
    const path = join(item.parentPath, item.name);
    found[path.slice(directory.length + 1)] = await readFile(path);
  }
  return found;
}

export async function assertRestored(directory: string, expected: Files = files): Promise<void> {
  const found = await contentOf(directory);
  assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
  for (const [path, bytes] of Object.entries(expected)) assert.ok(found[path]?.equals(bytes), `${path} is other`);
}

const directories: string[] = [];

/** An empty directory, gone after the test. */
export async function target(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-restore-'));
  directories.push(directory);
  return directory;
}

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

/** A vault with one snapshot of `files`. */
export async function vaultWith(options: Parameters<typeof testVault>[0] = {}): Promise<TestVault> {
  const test = await testVault(options);
  await takeSnapshot(test.vault, files);
  return test;
}

/** Counts what is read of packs, and may do something before. */
export class WatchedStore extends DelegatingStore {
  readBytes = 0;
  beforePack: ((key: string) => Promise<void>) | undefined;

  override async get(key: string, range?: ByteRange, options?: GetOptions): Promise<Buffer> {
    if (key.includes('/packs/')) await this.beforePack?.(key);
    const bytes = await super.get(key, range, options);
    if (key.includes('/packs/')) this.readBytes += bytes.length;
    return bytes;
  }
}
