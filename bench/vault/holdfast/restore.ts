// The newest snapshot written into an empty directory, with modes and times.

import { createWriteStream } from 'node:fs';
import { chmod, mkdir, symlink, utimes } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { SnapshotReader, TreeEntry } from '../../../src/vault/index.ts';
import { newestSnapshot, type Operation, withVault } from './operation.ts';

export const restore: Operation = (places) =>
  withVault(places, async (vault) => {
    const reader = await vault.openSnapshot((await newestSnapshot(vault)).id);
    const directories: TreeEntry[] = [];
    for await (const entry of reader.entries()) {
      if (entry.type === 'directory') directories.push(entry);
      await writeEntry(reader, entry, path.join(places.target, entry.path));
    }
    // Last, and from the inside out: what is written into a directory changes its time.
    for (const entry of directories.reverse()) await settle(entry, path.join(places.target, entry.path));
  });

async function writeEntry(reader: SnapshotReader, entry: TreeEntry, target: string): Promise<void> {
  if (entry.type === 'directory') await mkdir(target, { mode: 0o700 });
  else if (entry.type === 'symlink') await symlink(entry.linkTarget ?? '', target);
  else {
    await pipeline(reader.read(entry), createWriteStream(target, { flags: 'wx', mode: 0o600 }));
    await settle(entry, target);
  }
}

async function settle(entry: TreeEntry, target: string): Promise<void> {
  await chmod(target, entry.mode);
  await utimes(target, entry.mtimeSeconds, entry.mtimeSeconds);
}
