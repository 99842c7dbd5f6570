// One snapshot of the source: what did not change since the newest one is taken over unread, the rest is read by the vault's threads.

import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { momentFromDate } from '../../../src/domain/moment.ts';
import type {
  LocalFile,
  LocalFileResult,
  SnapshotId,
  SnapshotReader,
  SnapshotWriter,
  TreeEntry,
  Vault,
} from '../../../src/vault/index.ts';
import { COMPONENT, type Operation, withVault } from './operation.ts';

export const backup: Operation = (places) =>
  withVault(places, async (vault) => {
    const known = new KnownEntries(await newestReader(vault));
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
    } finally {
      await known.close();
    }
  });

async function newestReader(vault: Vault): Promise<SnapshotReader | undefined> {
  const [newest] = await vault.listSnapshots(COMPONENT);
  return newest && (await vault.openSnapshot(newest.id));
}

/** Entries of an earlier snapshot beside a walk in the same order: both go forward, so that only one entry is in memory, whatever the size of the tree. */
class KnownEntries {
  readonly #reader: SnapshotReader | undefined;
  readonly #entries: AsyncIterator<TreeEntry> | undefined;
  #next: TreeEntry | undefined;
  #isBegun = false;

  constructor(reader: SnapshotReader | undefined) {
    this.#reader = reader;
    this.#entries = reader?.entries()[Symbol.asyncIterator]();
  }

  /** The entry of this path, which comes behind the one that was asked for before. */
  async take(path: string): Promise<TreeEntry | undefined> {
    if (!this.#isBegun) await this.#advance();
    this.#isBegun = true;
    if (this.#next && this.#next.path !== path) await this.#advanceTo(walkKey(path));
    const found = this.#next;
    if (found?.path !== path) return undefined;
    await this.#advance();
    return found;
  }

  async close(): Promise<void> {
    await this.#entries?.return?.();
    this.#reader?.close();
  }

  async #advanceTo(key: string): Promise<void> {
    while (this.#next && walkKey(this.#next.path) < key) await this.#advance();
  }

  async #advance(): Promise<void> {
    const step = await this.#entries?.next();
    this.#next = step?.done ? undefined : step?.value;
  }
}

/** Compares as a walk comes by: a directory in front of what is in it, and that in front of the next name. */
function walkKey(path: string): string {
  return path.replaceAll('/', '\0');
}

/** Adds everything else to the tree on the way, in the order of the walk. */
async function* filesToRead(
  writer: SnapshotWriter,
  known: KnownEntries,
  root: string,
  folder: string,
): AsyncGenerator<LocalFile> {
  for (const name of readdirSync(`${root}/${folder}`).sort()) {
    const path = folder === '' ? name : `${folder}/${name}`;
    const source = `${root}/${path}`;
    const info = lstatSync(source, { bigint: true });
    const mtimeSeconds = Number(info.mtimeNs / 1_000_000_000n);
    const mtimeNanos = Number(info.mtimeNs % 1_000_000_000n);
    const entry = { path, mode: Number(info.mode) & 0o7777, mtimeSeconds, mtimeNanos };
    if (info.isDirectory()) {
      await writer.addDirectory(entry);
      yield* filesToRead(writer, known, root, path);
    } else if (info.isSymbolicLink()) await writer.addSymlink({ ...entry, linkTarget: readlinkSync(source) });
    else {
      const file = { ...entry, ctimeNs: String(info.ctimeNs), inode: String(info.ino) };
      const before = await known.take(path);
      const isSame =
        before?.ctimeNs === file.ctimeNs && before.inode === file.inode && before.sizeBytes === Number(info.size);
      if (!(isSame && (await writer.addUnchanged(before)))) yield { entry: file, source, sizeBytes: Number(info.size) };
    }
  }
}

function requireGood(result: LocalFileResult): void {
  if ('code' in result) throw new Error(`'${result.path}' could not be read: ${result.code}`);
  if (result.isTorn) throw new Error(`'${result.path}' changed while it was read`);
}
