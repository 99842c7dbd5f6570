// Files with several names, in a tree and on the disk: which of them have to be made anew because their names are not the same ones any more.

import { closeSync, constants, openSync } from 'node:fs';
import { isHoldfastError } from '../../errors/index.ts';
import { isThere, lookAt, pathIn } from '../../system/index.ts';
import type { TreeEntry } from '../../vault/index.ts';
import { type Comparable, differingAspects } from '../compare/differences.ts';
import type { Found } from '../scan/found.ts';
import { foundOf } from '../scan/walk.ts';
import { belowTop, comparableOf, inodeOf, placeOf } from './change.ts';
import type { ChangesOptions } from './changes.ts';
import { Ways } from './ways.ts';

export interface LinkGroups {
  /** By the first name of each entry that has several, whether it has changed. */
  readonly changed: ReadonlyMap<string, boolean>;
  /** What has several names on the disk. */
  readonly shared: ReadonlySet<string>;
}

export async function linkGroups(options: ChangesOptions): Promise<LinkGroups> {
  const counts = await sharedInodes(options);
  return { changed: await changedGroups(options, counts), shared: new Set(counts.keys()) };
}

/** And how many. */
async function sharedInodes({ present }: ChangesOptions): Promise<ReadonlyMap<string, number>> {
  const names = new Map<string, number>();
  for await (const { found } of present()) {
    if (!found || found.type === 'directory' || found.links < 2n) continue;
    names.set(inodeOf(found), (names.get(inodeOf(found)) ?? 0) + 1);
  }
  for (const [inode, count] of names) if (count === 1) names.delete(inode);
  return names;
}

/** Those of which the names on the disk are not all one, or not the same. */
async function changedGroups(
  { entries, top, root, hash }: ChangesOptions,
  shared: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, boolean>> {
  const names = new Map<string, string[]>();
  for await (const { type, path, linkTarget } of entries()) {
    if (type === 'hardlink' && linkTarget !== undefined)
      names.set(linkTarget, [...(names.get(linkTarget) ?? []), path]);
  }
  const changed = new Map<string, boolean>();
  const disk = await Disk.open(root);
  try {
    for await (const entry of entries()) {
      const others = names.get(entry.path);
      if (!others) continue;
      const below = belowTop(entry.path, top);
      const leader = disk.find(below);
      const all = others.map((path) => disk.find(belowTop(path, top)));
      const isOne =
        leader !== undefined &&
        shared.get(inodeOf(leader)) === others.length + 1 &&
        all.every((found) => found?.inode === leader.inode && found.device === leader.device);
      const place = placeOf(root, below);
      changed.set(entry.path, !isOne || (await isOther(entry, comparableOf(leader, place), place, hash)));
    }
  } finally {
    disk.close();
  }
  return changed;
}

/** Names below a root, looked at without following any link. */
class Disk {
  readonly #handle: number | undefined;
  readonly #ways: Ways | undefined;

  private constructor(handle: number | undefined, root: string) {
    this.#handle = handle;
    this.#ways = handle === undefined ? undefined : new Ways(handle, root);
  }

  static async open(root: string): Promise<Disk> {
    const isRoot = await isThere(root);
    return new Disk(isRoot ? openSync(root, constants.O_RDONLY | constants.O_DIRECTORY) : undefined, root);
  }

  /** Undefined also where something else than a directory of this file system is on the way. */
  find(below: string): Found | undefined {
    try {
      const name = this.#ways?.find(below);
      const look = name && lookAt(name);
      return name && look && foundOf(below, pathIn(name), look);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (isHoldfastError(error, 'TARGET_UNFIT') || code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  close(): void {
    this.#ways?.close();
    if (this.#handle !== undefined) closeSync(this.#handle);
  }
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
