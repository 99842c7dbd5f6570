// The newest snapshot written into an empty directory, with modes and times.

import { chmod, mkdir, symlink, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { FileToRestore, SnapshotReader, TreeEntry } from '../../../src/vault/index.ts';
import { newestSnapshot, type Operation, withVault } from './operation.ts';

export const restore: Operation = ({ target, ...places }) =>
  withVault({ ...places, target }, async (vault) => {
    const reader = await vault.openSnapshot((await newestSnapshot(vault)).id);
    const directories: TreeEntry[] = [];
    await reader.restoreFiles(filesOf(reader, target, directories), { directory: target });
    // Last, and from the inside out: what is written into a directory changes its time.
    for (const entry of directories.reverse()) await settle(entry, path.join(target, entry.path));
  });

/** Makes everything else on the way. */
async function* filesOf(
  reader: SnapshotReader,
  target: string,
  directories: TreeEntry[],
): AsyncGenerator<FileToRestore> {
  for await (const entry of reader.entries()) {
    const place = path.join(target, entry.path);
    if (entry.type === 'file') yield { entry };
    else if (entry.type === 'symlink') await symlink(entry.linkTarget ?? '', place);
    else {
      directories.push(entry);
      await mkdir(place, { mode: 0o700 });
    }
  }
}

async function settle(entry: TreeEntry, target: string): Promise<void> {
  await chmod(target, entry.mode);
  await utimes(target, entry.mtimeSeconds, entry.mtimeSeconds);
}
