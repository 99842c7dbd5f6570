// A tree, or what is wanted of it, into a directory that nobody else writes to: files by the vault's threads, then everything else, directories' own times last.

import { chmod, lchown, link, mkdir, open, rm, symlink } from 'node:fs/promises';
import { pathOfText, shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { makeNode, setAttributes, setTimes, syncFileSystemOf } from '../../system/index.ts';
import type { FileToRestore, SnapshotReader, TreeEntry } from '../../vault/index.ts';
import { mtimeNsOf } from '../capture/entry-of.ts';
import { Owners } from '../owners.ts';
import { Telling } from '../told.ts';
import type { FilesDetails, Told } from '../types.ts';
import { isWithin, type Selection, Selector, treePath, wantedEntries } from './select.ts';

export interface WriteTreeOptions {
  readonly reader: Pick<SnapshotReader, 'snapshot' | 'entries' | 'restoreFiles'>;
  /** Absolute; exists. */
  readonly directory: string;
  /** Absolute path of a directory of the tree that `directory` becomes; nothing else is written then. Default: entries get their whole paths below it. */
  readonly top?: string;
  /** Default all. */
  readonly selection?: Selection;
  readonly onProgress?: (done: { readonly files: number; readonly bytes: number }) => void;
  readonly signal: AbortSignal;
}

export interface Lacking {
  readonly path: string;
  readonly what: string;
  readonly code: string;
}

export interface WrittenTree {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  readonly bytes: number;
  /** Files that were right already. */
  readonly keptFiles: number;
  /** What this user or file system did not allow. */
  readonly lacking: Told<Lacking>;
}

const NOT_HERE = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL']);
const FIFO = 0o010000;
const CHARACTER = 0o020000;
const BLOCK = 0o060000;

/** Resolves when everything is on the disk. May be called again after it was killed: what is right is kept. Throws as `restoreFiles` does. */
export async function writeTree(options: WriteTreeOptions): Promise<WrittenTree> {
  return await new TreeToDisk(options).write();
}

class TreeToDisk {
  readonly #options: WriteTreeOptions;
  readonly #selector: Selector;
  readonly #top: string;
  readonly #owners = new Owners();
  readonly #isRoot = process.geteuid?.() === 0;
  readonly #lacking = new Telling<Lacking>();
  #directories = 0;
  #others = 0;

  constructor(options: WriteTreeOptions) {
    this.#options = options;
    this.#selector = new Selector(options.selection ?? {});
    this.#top = options.top === undefined ? '' : treePath(options.top);
  }

  async write(): Promise<WrittenTree> {
    const { reader, directory, signal, onProgress } = this.#options;
    const place = await open(directory);
    try {
      const restored = await reader.restoreFiles(this.#files(), {
        directory,
        isExact: true,
        signal,
        ...(onProgress && { onProgress }),
      });
      await this.#everythingElse();
      await syncFileSystemOf(place.fd);
      const { files, bytes, keptFiles } = restored;
      const others = this.#lacking.told;
      const lacking = {
        count: restored.lackingCount + others.count,
        first: [...restored.lacking, ...others.first],
      };
      return { files, bytes, keptFiles, directories: this.#directories, others: this.#others, lacking };
    } finally {
      await place.close();
    }
  }

  async *#files(): AsyncGenerator<FileToRestore> {
    for await (const entry of this.#entries()) {
      if (entry.type !== 'file') continue;
      const owner = await this.#owner(entry);
      yield { entry, path: this.#below(entry.path), ...(owner && { owner }) };
    }
  }

  /** Directories get what they are when everything in them is there: their entries come before those. */
  async #everythingElse(): Promise<void> {
    const open: TreeEntry[] = [];
    for await (const entry of this.#entries()) {
      if (this.#options.signal.aborted) fail('CANCELLED', 'restoring files was cancelled');
      while (open.length > 0 && !isWithin(entry.path, (open.at(-1) as TreeEntry).path)) {
        await this.#settle(open.pop() as TreeEntry);
      }
      if (entry.type === 'file') continue;
      if (entry.type === 'directory') {
        this.#directories++;
        await this.#makeDirectory(entry);
        open.push(entry);
      } else {
        this.#others++;
        await this.#make(entry);
      }
    }
    for (const entry of open.reverse()) await this.#settle(entry);
  }

  #entries(): AsyncIterable<TreeEntry> {
    const { reader } = this.#options;
    if (this.#selector.isAll && this.#holdsAll) return reader.entries();
    return belowTop(
      wantedEntries(reader, (entry) => isWithin(entry.path, this.#top) && this.#selector.takes(entry)),
      this.#top,
    );
  }

  get #holdsAll(): boolean {
    const { roots } = this.#options.reader.snapshot.engine as unknown as FilesDetails;
    return this.#top === '' || (roots.length === 1 && treePath(roots[0] as string) === this.#top);
  }

  /** Empty for the top itself. */
  #below(path: string): string {
    if (this.#top === '') return path;
    return path === this.#top ? '' : path.slice(this.#top.length + 1);
  }

  async #makeDirectory({ path }: TreeEntry): Promise<void> {
    await mkdir(this.#place(path), { recursive: true, mode: 0o700 });
  }

  async #make(entry: TreeEntry): Promise<void> {
    const place = this.#place(entry.path);
    await this.#parentOf(entry.path);
    // What an earlier attempt made may lead to what this one has replaced.
    await rm(place, { force: true });
    if (entry.type === 'hardlink') {
      const target = entry.linkTarget ?? '';
      await link(this.#place(target), place);
      return;
    }
    if (entry.type === 'symlink') await symlink(pathOfText(entry.linkTarget ?? ''), place);
    else if (!this.#makeNode(entry, place)) return;
    await this.#settle(entry);
  }

  /** A directory of whose entry nobody wants anything is made like any other. */
  async #parentOf(path: string): Promise<void> {
    const end = path.lastIndexOf('/');
    if (end > this.#top.length) await mkdir(this.#place(path.slice(0, end)), { recursive: true, mode: 0o700 });
  }

  #makeNode({ path, type, mode, device }: TreeEntry, place: string | Buffer): boolean {
    if (type === 'fifo') makeNode(place, FIFO | mode, 0n);
    else if (type === 'device' && device) {
      const kind = device.kind === 'character' ? CHARACTER : BLOCK;
      return this.#attempt(path, 'device', () => makeNode(place, kind | mode, deviceNumber(device)));
    } else fail('OBJECT_DAMAGED', `'${shownPath(path)}' is of a type that cannot be made: '${type}'`);
    return true;
  }

  async #settle(entry: TreeEntry): Promise<void> {
    const { path, xattrs, type, mode } = entry;
    const place = this.#place(path);
    const owner = await this.#owner(entry);
    if (owner) {
      const failure = await lchown(place, owner.uid, owner.gid).catch((error: unknown) => ({ error }));
      if (failure) this.#attempt(path, 'owner', () => raise(failure.error));
    }
    setAttributes(place, xattrs ?? {}, (name, act) => this.#attempt(path, name, act));
    if (type !== 'symlink') await chmod(place, mode);
    const mtimeNs = mtimeNsOf(entry);
    setTimes(place, { atimeNs: mtimeNs, mtimeNs });
  }

  async #owner(entry: TreeEntry): Promise<{ uid: number; gid: number } | undefined> {
    return this.#isRoot ? await this.#owners.here(entry) : undefined;
  }

  #attempt(path: string, what: string, act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined || !NOT_HERE.has(code)) throw error;
      this.#lacking.add({ path, what, code });
      return false;
    }
  }

  #place(path: string): string | Buffer {
    const isBelow = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
    if (!isBelow || path.includes('\0')) {
      fail('OBJECT_DAMAGED', `the snapshot has an entry outside of itself: '${shownPath(path)}'`);
    }
    return pathOfText(`${this.#options.directory}/${this.#below(path)}`);
  }
}

async function* belowTop(entries: AsyncIterable<TreeEntry>, top: string): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) if (isWithin(entry.path, top)) yield entry;
}

function raise(error: unknown): never {
  throw error;
}

/** As Linux packs it (gnu_dev_makedev). */
function deviceNumber({ major, minor }: NonNullable<TreeEntry['device']>): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffn) << 8n) | ((high & ~0xfffn) << 32n) | (low & 0xffn) | ((low & ~0xffn) << 12n);
}
