// What has to change in a root for it to be what a snapshot holds: the tree beside a scan of the disk, name by name, in walk order.

import { lstat } from 'node:fs/promises';
import { pathOfText } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { readAttributes } from '../../system/index.ts';
import type { TreeEntry } from '../../vault/index.ts';
import { deviceOf, mtimeOf } from '../capture/entry-of.ts';
import { type Aspect, type Comparable, differingAspects } from '../compare/differences.ts';
import { sideBySide } from '../compare/side-by-side.ts';
import { isWithin } from '../restore/select.ts';
import type { Found } from '../scan/found.ts';
import { foundOf, lstatOf } from '../scan/walk.ts';

/** What a name was, or is to be, besides its content. */
export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970, as decimal text. */
  readonly mtimeNs: string;
  readonly xattrs: Readonly<Record<string, string>>;
}

export interface Change {
  /** Below the root; empty for the root itself. */
  readonly path: string;
  /** `compare`: only reading tells whether the content is another one. */
  readonly kind: 'create' | 'replace' | 'remove' | 'settle' | 'compare';
  readonly type: TreeEntry['type'];
  readonly aspects: readonly Aspect[];
  readonly sizeBytes: number;
  /** Of `settle`, and of a directory that is removed: what it was. Of the former what it is to be: the same for a directory in which something changes. */
  readonly before?: Metadata;
  readonly after?: Metadata;
}

export interface ChangesOptions {
  /** The root as entries name it. */
  readonly top: string;
  /** Absolute. */
  readonly root: string;
  /** Wanted entries of the root and below, with the directories that they are in, in walk order, owners as this host has them. */
  readonly entries: () => AsyncIterable<TreeEntry>;
  /** What is there, less what is not to be touched; every directory. */
  readonly found: () => AsyncIterable<Found>;
  /** Whether the name itself is wanted, not only on the way to others. */
  readonly takes: (entry: Pick<TreeEntry, 'path' | 'type'>) => boolean;
  /** Whether this user can give files away; owners are not compared else. */
  readonly givesOwners: boolean;
  /** SHA-256 of a file that is there, lower-case hexadecimal: no change is `compare` then. */
  readonly hash?: (place: string | Buffer) => Promise<string>;
}

/** Throws `TARGET_UNFIT` where a rename would cross a file system. */
export async function* changesOf(options: ChangesOptions): AsyncGenerator<Change> {
  const { top, root } = options;
  const shared = await sharedInodes(options);
  const groups = await changedGroups(options, shared);
  const { dev } = await lstat(root, { bigint: true });
  const directories = new OpenDirectories(top);
  const removed: Change[] = [];
  /** A name that is created or replaced takes what is below it along. */
  let covered: string | undefined;
  for await (const { path, one: entry, other: found } of sideBySide(options.entries(), options.found())) {
    if (covered !== undefined && isWithin(path, covered)) continue;
    covered = undefined;
    yield* leftBehind(removed, belowTop(path, top));
    requireSameDevice(path, found, dev, root);
    const change = await changeOf(options, path, entry, found, { groups, shared });
    if (entry?.type === 'directory' && found?.type === 'directory') {
      const present = comparableOf(found, placeOf(root, top, path));
      directories.enter(path, metadataOf(present), change?.kind === 'settle');
    }
    if (!change) continue;
    if (change.kind === 'create' || change.kind === 'replace') covered = path;
    if (change.kind !== 'settle' && change.kind !== 'compare') yield* directories.touched(path);
    if (change.kind === 'remove' && change.type === 'directory') removed.push(change);
    else yield change;
  }
  yield* removed.reverse();
}

/** Directories that are removed come behind what is in them: what is left out of them stays, and they with it. */
function* leftBehind(removed: Change[], path: string): Generator<Change> {
  while (removed.length > 0 && !isWithin(path, (removed.at(-1) as Change).path)) yield removed.pop() as Change;
}

function requireSameDevice(path: string, found: Found | undefined, device: bigint, root: string): void {
  if (!found || found.device === device) return;
  fail('TARGET_UNFIT', `'/${path}' is on another file system than '${root}'`, {
    hint: 'restore beside, or what is on each file system by itself',
  });
}

/** What changes in a directory changes its time, so it is settled too. */
class OpenDirectories {
  readonly #top: string;
  readonly #open: { readonly path: string; readonly present: Metadata; isListed: boolean }[] = [];

  constructor(top: string) {
    this.#top = top;
  }

  enter(path: string, present: Metadata, isListed: boolean): void {
    this.#leaveFor(path);
    this.#open.push({ path, present, isListed });
  }

  *touched(path: string): Generator<Change> {
    this.#leaveFor(path);
    const parent = this.#open.at(-1);
    if (!parent || parent.isListed || parent.path === path) return;
    parent.isListed = true;
    const { present } = parent;
    const below = belowTop(parent.path, this.#top);
    yield {
      path: below,
      kind: 'settle',
      type: 'directory',
      aspects: [],
      sizeBytes: 0,
      before: present,
      after: present,
    };
  }

  #leaveFor(path: string): void {
    while (this.#open.length > 0 && !isWithin(path, (this.#open.at(-1) as { path: string }).path)) this.#open.pop();
  }
}

async function changeOf(
  { top, root, hash, givesOwners, takes }: ChangesOptions,
  path: string,
  entry: TreeEntry | undefined,
  found: Found | undefined,
  { groups, shared }: { readonly groups: Groups; readonly shared: ReadonlyMap<string, number> },
): Promise<Change | undefined> {
  const below = belowTop(path, top);
  if (!entry) {
    if (!found || !takes({ path, type: typeOf(found) })) return undefined;
    const before = metadataOf(comparableOf(found, placeOf(root, top, path)));
    return { path: below, kind: 'remove', type: typeOf(found), aspects: [], sizeBytes: found.sizeBytes, before };
  }
  const base = { path: below, type: entry.type, sizeBytes: entry.sizeBytes };
  if (!found) return { ...base, kind: 'create', aspects: [] };
  if (!takes(entry) && found.type === 'directory') return undefined;
  const isChanged = groups.get(entry.type === 'hardlink' ? (entry.linkTarget ?? '') : path);
  if (isChanged) return { ...base, kind: 'replace', aspects: ['target'] };
  if (entry.type === 'hardlink') return undefined;
  // What is kept of the other name must not change with this one.
  if (isChanged === undefined && shared.has(inodeOf(found))) return { ...base, kind: 'replace', aspects: ['target'] };
  const place = placeOf(root, top, path);
  const present = comparableOf(found, place);
  let aspects = differingAspects(entry, present).filter((aspect) => aspect !== 'owner' || givesOwners);
  if (aspects.includes('content?') && hash) {
    const isSame = (await hash(place)) === entry.sha256;
    aspects = aspects.flatMap((aspect) => (aspect !== 'content?' ? [aspect] : isSame ? [] : ['content' as const]));
  }
  if (aspects.length === 0) return undefined;
  const isReplaced = aspects.some((aspect) => aspect === 'type' || aspect === 'content' || aspect === 'target');
  if (isReplaced) return { ...base, kind: 'replace', aspects };
  const kind = aspects.includes('content?') ? 'compare' : 'settle';
  return { ...base, kind, aspects, before: metadataOf(present), after: metadataOf(entry) };
}

export function belowTop(path: string, top: string): string {
  if (path === top) return '';
  return top === '' ? path : path.slice(top.length + 1);
}

function placeOf(root: string, top: string, path: string): string | Buffer {
  const below = belowTop(path, top);
  return pathOfText(below === '' ? root : `${root}/${below}`);
}

/** By the first name of each entry that has several, whether it has changed. */
type Groups = ReadonlyMap<string, boolean>;

function inodeOf({ device, inode }: Found): string {
  return `${device}:${inode}`;
}

/** What has several names here, and how many. */
async function sharedInodes({ found }: ChangesOptions): Promise<ReadonlyMap<string, number>> {
  const names = new Map<string, number>();
  for await (const each of found()) {
    if (each.type === 'directory' || each.links < 2n) continue;
    names.set(inodeOf(each), (names.get(inodeOf(each)) ?? 0) + 1);
  }
  for (const [inode, count] of names) if (count === 1) names.delete(inode);
  return names;
}

/** Entries with several names, by the first: those of which the names on the disk are not all one, or not the same. */
async function changedGroups(
  { entries, top, root, hash }: ChangesOptions,
  shared: ReadonlyMap<string, number>,
): Promise<Groups> {
  const names = new Map<string, string[]>();
  for await (const { type, path, linkTarget } of entries()) {
    if (type === 'hardlink' && linkTarget !== undefined)
      names.set(linkTarget, [...(names.get(linkTarget) ?? []), path]);
  }
  const changed = new Map<string, boolean>();
  for await (const entry of entries()) {
    const others = names.get(entry.path);
    if (!others) continue;
    const place = placeOf(root, top, entry.path);
    const leader = lookAt(entry.path, place);
    const all = others.map((path) => lookAt(path, placeOf(root, top, path)));
    const isOne =
      leader !== undefined &&
      shared.get(inodeOf(leader)) === others.length + 1 &&
      all.every((found) => found?.inode === leader.inode && found.device === leader.device);
    changed.set(entry.path, !isOne || (await isOther(entry, comparableOf(leader, place), place, hash)));
  }
  return changed;
}

async function isOther(
  entry: TreeEntry,
  present: Comparable,
  place: string | Buffer,
  hash: ChangesOptions['hash'],
): Promise<boolean> {
  const aspects = differingAspects(entry, present);
  if (aspects.some((aspect) => aspect === 'type' || aspect === 'content' || aspect === 'target')) return true;
  return aspects.includes('content?') && hash !== undefined && (await hash(place)) !== entry.sha256;
}

function lookAt(path: string, place: string | Buffer): Found | undefined {
  try {
    return foundOf(path, place, lstatOf(place));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

export function typeOf({ type }: Found): TreeEntry['type'] {
  if (type === 'character device' || type === 'block device') return 'device';
  return type === 'socket' ? 'fifo' : type;
}

export function comparableOf(found: Found, place: string | Buffer): Comparable {
  const { path, mode, uid, gid, mtimeNs, ctimeNs, inode, linkTarget, sizeBytes } = found;
  const xattrs = readAttributes(place);
  return {
    path,
    type: typeOf(found),
    mode,
    uid,
    gid,
    ...mtimeOf(mtimeNs),
    ctimeNs: `${ctimeNs}`,
    inode: `${inode}`,
    sizeBytes: found.type === 'file' ? sizeBytes : 0,
    ...(linkTarget !== undefined && { linkTarget }),
    ...(typeOf(found) === 'device' && { device: deviceOf(found) }),
    ...(xattrs && { xattrs }),
  };
}

function metadataOf({ mode, uid, gid, mtimeSeconds, mtimeNanos, xattrs }: Comparable): Metadata {
  const mtimeNs = BigInt(mtimeSeconds) * 1_000_000_000n + BigInt(mtimeNanos ?? 0);
  return { mode, uid: uid ?? 0, gid: gid ?? 0, mtimeNs: `${mtimeNs}`, xattrs: xattrs ?? {} };
}
