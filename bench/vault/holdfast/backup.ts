// One snapshot of the source: every file read and given to the vault.

import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { momentFromDate } from '../../../src/domain/moment.ts';
import type { SnapshotId, SnapshotWriter } from '../../../src/vault/index.ts';
import { COMPONENT, type Operation, withVault } from './operation.ts';

const READ_BYTES = 1024 * 1024;

export const backup: Operation = (places) =>
  withVault(places, async (vault) => {
    const now = new Date();
    const stamp = now.toISOString().replace(/[-:]|\.\d+/g, '');
    const id = `${stamp}-${randomBytes(4).toString('hex')}` as SnapshotId;
    const from = momentFromDate(now);
    const request = { id, component: COMPONENT, kind: 'files', class: 'files', from, host: 'bench' } as const;
    const writer = await vault.writeSnapshot(request);
    try {
      await addFolder(writer, places.source, '');
      await writer.commit({ to: momentFromDate(new Date()), state: 'clean', engine: {} });
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  });

async function addFolder(writer: SnapshotWriter, root: string, folder: string): Promise<void> {
  for (const name of (await readdir(path.join(root, folder))).sort()) {
    const relative = folder === '' ? name : `${folder}/${name}`;
    const full = path.join(root, relative);
    const info = await lstat(full);
    const entry = { path: relative, mode: info.mode & 0o7777, mtimeSeconds: Math.floor(info.mtimeMs / 1000) };
    if (info.isDirectory()) {
      writer.addDirectory(entry);
      await addFolder(writer, root, relative);
    } else if (info.isSymbolicLink()) writer.addSymlink({ ...entry, linkTarget: await readlink(full) });
    else await writer.addFile(entry, createReadStream(full, { highWaterMark: READ_BYTES }));
  }
}
