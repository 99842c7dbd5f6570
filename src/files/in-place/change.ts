// One change of a root: what is done to one name, and what that name was and is to be.

import { pathOfText } from '../../domain/path-text.ts';
import type { TreeEntry } from '../../vault/index.ts';
import { attributesOf, deviceOf, mtimeOf } from '../capture/entry-of.ts';
import type { Aspect, Comparable } from '../compare/differences.ts';
import type { Found } from '../scan/found.ts';

/** What a name was, or is to be, besides its content. */
export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970, as decimal text. */
  readonly mtimeNs: string;
  readonly xattrs: Readonly<Record<string, string>>;
}

/** What tells one entry from every other one of its name. */
export interface Identity {
  /** Decimal text. */
  readonly inode: string;
  readonly sizeBytes: number;
  readonly mtimeNs: string;
  /** Several names had it when it was looked at. */
  readonly isShared?: true;
}

export interface Amount {
  readonly entries: number;
  readonly bytes: number;
}

export interface Change {
  /** Below the root; empty for the root itself. */
  readonly path: string;
  /** `compare`: only reading tells whether the content is another one; in plans alone. */
  readonly kind: 'create' | 'replace' | 'remove' | 'settle' | 'compare';
  readonly type: TreeEntry['type'];
  /** In what it differs; empty for a directory that is settled because something in it changes. */
  readonly aspects: readonly Aspect[];
  /** What comes in, with all that is below; of `remove` what goes away. */
  readonly amount: Amount;
  /** Of `replace`, where a directory gives way as a whole: what is below it. */
  readonly takesAlong?: Amount;
  /** Of what comes in, what needs room for certain: files with holes count nothing. */
  readonly neededBytes?: number;
  /** Decimal text, of what is there. */
  readonly inode?: string;
  /** Of `settle`, and of a directory that is removed: what it was. Of the former what it is to be: the same for a directory in which something changes. */
  readonly before?: Metadata;
  readonly after?: Metadata;
  /** Of `create` and `replace`, once it is staged: what comes in. Absent for a device that could not be made. */
  readonly brought?: Identity;
}

export function belowTop(path: string, top: string): string {
  if (path === top) return '';
  return top === '' ? path : path.slice(top.length + 1);
}

export function joined(top: string, below: string): string {
  if (below === '') return top;
  return top === '' ? below : `${top}/${below}`;
}

/** By its path, for looking alone. */
export function placeOf(root: string, below: string): string | Buffer {
  return pathOfText(placeText(root, below));
}

export function placeText(root: string, below: string): string {
  return below === '' ? root : `${root === '/' ? '' : root}/${below}`;
}

export function inodeOf({ device, inode }: Found): string {
  return `${device}:${inode}`;
}

export function typeOf({ type }: Pick<Found, 'type'>): TreeEntry['type'] {
  if (type === 'character device' || type === 'block device') return 'device';
  return type === 'socket' ? 'fifo' : type;
}

export function comparableOf(found: Found, place: string | Buffer): Comparable {
  const { path, mode, uid, gid, mtimeNs, ctimeNs, inode, linkTarget, sizeBytes } = found;
  const xattrs = attributesOf(place);
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

export function metadataOf({ mode, uid, gid, mtimeSeconds, mtimeNanos, xattrs }: Comparable): Metadata {
  const mtimeNs = BigInt(mtimeSeconds) * 1_000_000_000n + BigInt(mtimeNanos ?? 0);
  return { mode, uid: uid ?? 0, gid: gid ?? 0, mtimeNs: `${mtimeNs}`, xattrs: xattrs ?? {} };
}
