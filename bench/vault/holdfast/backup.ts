// One snapshot of the source: what did not change since the newest one is taken over unread, the rest is read by the vault's threads.

import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { momentFromDate } from '../../../src/domain/moment.ts';
import type {
  LocalFile,
  LocalFileResult,
  SnapshotId,
  SnapshotWriter,
  TreeEntry,
  Vault,
} from '../../../src/vault/index.ts';
import { COMPONENT, type Operation, withVault } from './operation.ts';

export const backup: Operation = (places) =>
  withVault(places, async (vault) => {
    const known = await newestEntries(vault);
    const now = new Date();
    const stamp = now.toISOString().replace(/[-:]|\.\d+/g, '');
    const id = `${stamp}-${randomBytes(4).toString('hex')}` as SnapshotId;
    const from = momentFromDate(now);
    const request = { id, component: COMPONENT, kind: 'files', class: 'files', from, host: 'bench' } as const;
    const writer = await vault.writeSnapshot(request);
    try {
      await writer.addLocalFiles(filesToRead(writer, known, places.source, ''), requireGood);
      await writer.commit({ to: momentFromDate(new Date()), state: 'clean', engine: {} });
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  });

async function newestEntries(vault: Vault): Promise<ReadonlyMap<string, TreeEntry>> {
  const entries = new Map<string, TreeEntry>();
  const [newest] = await vault.listSnapshots(COMPONENT);
  if (!newest) return entries;
  const reader = await vault.openSnapshot(newest.id);
  for await (const entry of reader.entries()) entries.set(entry.path, entry);
  reader.close();
  return entries;
}

/** Adds everything else to the tree on the way, in the order of the walk. */
function* filesToRead(
  writer: SnapshotWriter,
  known: ReadonlyMap<string, TreeEntry>,
  root: string,
  folder: string,
): Generator<LocalFile> {
  for (const name of readdirSync(`${root}/${folder}`).sort()) {
    const path = folder === '' ? name : `${folder}/${name}`;
    const source = `${root}/${path}`;
    const info = lstatSync(source, { bigint: true });
    const mtimeSeconds = Number(info.mtimeNs / 1_000_000_000n);
    const mtimeNanos = Number(info.mtimeNs % 1_000_000_000n);
    const entry = { path, mode: Number(info.mode) & 0o7777, mtimeSeconds, mtimeNanos };
    if (info.isDirectory()) {
      writer.addDirectory(entry);
      yield* filesToRead(writer, known, root, path);
    } else if (info.isSymbolicLink()) writer.addSymlink({ ...entry, linkTarget: readlinkSync(source) });
    else {
      const file = { ...entry, ctimeNs: String(info.ctimeNs), inode: String(info.ino) };
      const before = known.get(path);
      const isSame =
        before?.ctimeNs === file.ctimeNs && before.inode === file.inode && before.sizeBytes === Number(info.size);
      if (!(isSame && writer.addUnchanged(before))) yield { entry: file, source, sizeBytes: Number(info.size) };
    }
  }
}

function requireGood(result: LocalFileResult): void {
  if ('code' in result) throw new Error(`'${result.path}' could not be read: ${result.code}`);
  if (result.isTorn) throw new Error(`'${result.path}' changed while it was read`);
}
