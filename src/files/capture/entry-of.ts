// From what a scan found to an entry of the tree.

import { readAttributes } from '../../system/index.ts';
import type { BareEntry, FileEntry, ReadFile, TreeEntry } from '../../vault/index.ts';
import type { Owners } from '../owners.ts';
import type { Found } from '../scan/found.ts';

type Seen = Pick<Found, 'mode' | 'uid' | 'gid' | 'mtimeNs' | 'ctimeNs' | 'inode'>;

const SECOND_NS = 1_000_000_000n;
/** Clocks of file systems tick coarsely: what changed so shortly before the scan, or after it, may change again without another time (in nanoseconds). */
const COARSE_NS = 2n * SECOND_NS;
const TYPES = {
  directory: 'directory',
  symlink: 'symlink',
  fifo: 'fifo',
  'character device': 'device',
  'block device': 'device',
} as const;

/** Whether a later scan that finds the same times may take the entry over. */
export function isSettled(ctimeNs: bigint, scanStartNs: bigint): boolean {
  return ctimeNs < scanStartNs - COARSE_NS;
}

/** Size, both times and inode are as they were. */
export function isUnchanged(found: Found, before: TreeEntry | undefined): before is TreeEntry {
  return (
    before?.type === 'file' &&
    before.sizeBytes === found.sizeBytes &&
    before.ctimeNs === `${found.ctimeNs}` &&
    before.inode === `${found.inode}` &&
    mtimeNsOf(before) === found.mtimeNs
  );
}

export function mtimeNsOf({ mtimeSeconds, mtimeNanos }: Pick<TreeEntry, 'mtimeSeconds' | 'mtimeNanos'>): bigint {
  return BigInt(mtimeSeconds) * SECOND_NS + BigInt(mtimeNanos ?? 0);
}

/** How what lies here is to be understood, where it stands for what lies elsewhere. */
export interface Reading {
  readonly found: (found: Found, place: string | Buffer) => Found;
  /** `mode`: as `found` gives it. */
  readonly attributes: (xattrs: TreeEntry['xattrs'], mode: number) => TreeEntry['xattrs'];
}

/** Reads attributes and names of owners. */
export class Describer {
  readonly #owners: Owners;
  readonly #scanStartNs: bigint;

  readonly #reading: Reading | undefined;

  /** With a `reading`, numbers of owners are another host's, and have no names here. */
  constructor(owners: Owners, scanStartNs: bigint, reading?: Reading) {
    this.#owners = owners;
    this.#scanStartNs = scanStartNs;
    this.#reading = reading;
  }

  async bare(found: Found, before: TreeEntry | undefined, path: string | Buffer): Promise<BareEntry> {
    const entry = await this.#common(found, before, path);
    const type = TYPES[found.type as keyof typeof TYPES];
    if (type === 'symlink') return { ...entry, type, linkTarget: found.linkTarget ?? '' };
    if (type !== 'device') return { ...entry, type };
    return { ...entry, type, device: deviceOf(found) };
  }

  /** `settle`: the entry as it was when it had been read, which may be later than the scan. */
  async file(
    found: Found,
    before: TreeEntry | undefined,
    path: string | Buffer,
  ): Promise<{ entry: FileEntry; settle: (read: ReadFile) => FileEntry }> {
    const { inode: _, ctimeNs: __, ...entry } = await this.#common(found, before, path);
    const holes = found.hasHoles ? ({ holes: true } as const) : {};
    const settle = (read: ReadFile): FileEntry => {
      const isSame = read.inode === found.inode && read.ctimeNs === found.ctimeNs && !read.isTorn;
      // Whose file it is by now was not asked for by name.
      const { user, group, ...rest } = entry;
      const names = { ...(read.uid === found.uid && { user }), ...(read.gid === found.gid && { group }) };
      const whose = this.#reading ? { ...read, mode: found.mode, uid: found.uid, gid: found.gid } : read;
      return { ...rest, ...names, ...this.#seen(whose, isSame), ...holes };
    };
    return { entry: { ...entry, ...holes }, settle };
  }

  async #common(found: Found, before: TreeEntry | undefined, path: string | Buffer) {
    const isOurs = this.#reading === undefined;
    const user = isOurs ? await this.#owners.nameOf('passwd', found.uid) : undefined;
    const group = isOurs ? await this.#owners.nameOf('group', found.gid) : undefined;
    const isSame = before?.ctimeNs === `${found.ctimeNs}` && before.inode === `${found.inode}`;
    const xattrs = isSame ? before.xattrs : this.#attributes(path, found.mode);
    return {
      path: found.path,
      ...this.#seen(found, true),
      ...(user !== undefined && { user }),
      ...(group !== undefined && { group }),
      ...(xattrs && { xattrs }),
    };
  }

  #attributes(path: string | Buffer, mode: number): TreeEntry['xattrs'] {
    const xattrs = attributesOf(path);
    return this.#reading ? this.#reading.attributes(xattrs, mode) : xattrs;
  }

  #seen({ mode, uid, gid, mtimeNs, ctimeNs, inode }: Seen, isSame: boolean) {
    const known = isSame && isSettled(ctimeNs, this.#scanStartNs);
    return {
      mode,
      uid,
      gid,
      ...mtimeOf(mtimeNs),
      ...(known && { ctimeNs: `${ctimeNs}`, inode: `${inode}` }),
    };
  }
}

/** As entries have it; the inverse of `mtimeNsOf`. */
export function mtimeOf(ns: bigint): { readonly mtimeSeconds: number; readonly mtimeNanos: number } {
  const nanos = ((ns % SECOND_NS) + SECOND_NS) % SECOND_NS;
  return { mtimeSeconds: Number((ns - nanos) / SECOND_NS), mtimeNanos: Number(nanos) };
}

/** What vanishes meanwhile has none; whoever reads it will notice. */
export function attributesOf(path: string | Buffer): Readonly<Record<string, string>> | undefined {
  try {
    return readAttributes(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return undefined;
    throw error;
  }
}

/** As Linux packs a device number (gnu_dev_major, gnu_dev_minor). */
export function deviceOf({ type, rdev }: Found): NonNullable<TreeEntry['device']> {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  const kind = type === 'character device' ? 'character' : 'block';
  return { kind, major: Number(major), minor: Number(BigInt.asUintN(32, minor)) };
}
