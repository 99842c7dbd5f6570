// What has to change in a root for it to be what a snapshot holds: the tree beside what is there, name by name, in walk order.

import { lstat } from 'node:fs/promises';
import { shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import type { TreeEntry } from '../../vault/index.ts';
import { type Aspect, type Comparable, differingAspects } from '../compare/differences.ts';
import { sideBySide } from '../compare/side-by-side.ts';
import { isWithin } from '../restore/select.ts';
import type { Found } from '../scan/found.ts';
import { belowTop, type Change, comparableOf, inodeOf, metadataOf, placeOf, placeText, typeOf } from './change.ts';
import { OpenDirectories, RemovedDirectories } from './directories.ts';
import { type LinkGroups, linkGroups } from './link-groups.ts';
import { Mounts } from './mounts.ts';
import type { Hold, Present } from './present.ts';
import { neededBytes, Subtree } from './subtree.ts';

const REPLACING: ReadonlySet<Aspect> = new Set(['type', 'content', 'target']);

export interface ChangesOptions {
  /** The root as entries name it. */
  readonly top: string;
  /** Absolute, without links. */
  readonly root: string;
  /** Wanted entries of the root and below, with the directories that they are in, in walk order, owners as this host has them; `onLeftOut` is told those that are asked for, and have names that today's rules leave out. */
  readonly entries: (onLeftOut?: (path: string, why: Hold) => void) => AsyncIterable<TreeEntry>;
  /** What is there; nothing where the root is not. */
  readonly present: () => AsyncIterable<Present>;
  /** Whether the name itself is wanted, not only on the way to others. */
  readonly takes: (entry: Pick<TreeEntry, 'path' | 'type'>) => boolean;
  /** What may have been there when the tree was captured although it is not in it. */
  readonly neverCaptured: { has(path: string): boolean };
  /** Whether this user can give files away; owners are not compared else. */
  readonly givesOwners: boolean;
  /** SHA-256 of a file that is there, lower-case hexadecimal: no change is `compare` then. */
  readonly hash?: (place: string | Buffer) => Promise<string>;
  /** An entry that is wanted and stays away, because what has its name is left alone, or would be. */
  readonly onLeftAlone?: (path: string, why: Hold) => void;
  /** Each name of either. */
  readonly onPair?: (entry: TreeEntry | undefined, present: Present | undefined) => void;
}

/** Throws `TARGET_UNFIT` where a rename would cross a mount, or take along what is to be left alone, and where a link or a file is on the way to what is wanted. */
export async function* changesOf(options: ChangesOptions): AsyncGenerator<Change> {
  const mounts = await Mounts.below(options.root);
  const comparison = new Comparison(options, await linkGroups(options), mounts, await ownDevice(options.root));
  for await (const { path, one, other } of sideBySide(options.entries(comparison.leaveOut), options.present())) {
    options.onPair?.(one, other);
    for (const change of await comparison.take(path, one, other)) yield change;
  }
  yield* comparison.rest();
}

/** Undefined where the root is not there: whatever is made then is on one file system. */
async function ownDevice(root: string): Promise<bigint | undefined> {
  try {
    return (await lstat(root, { bigint: true })).dev;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

class Comparison {
  readonly #options: ChangesOptions;
  readonly #groups: LinkGroups;
  readonly #mounts: Mounts;
  readonly #device: bigint | undefined;
  readonly #directories: OpenDirectories;
  readonly #removed = new RemovedDirectories();
  /** What is created or replaced takes what is below it along. */
  #covering: Subtree | undefined;
  #held: { readonly path: string; readonly why: Hold; readonly isWanted: boolean } | undefined;
  /** First names of files with several that are left alone: the others are links to what does not come in. */
  readonly #leftAlone = new Map<string, Hold>();

  /** The first. */
  #leftOut: string | undefined;

  constructor(options: ChangesOptions, groups: LinkGroups, mounts: Mounts, device: bigint | undefined) {
    this.#options = options;
    this.#groups = groups;
    this.#mounts = mounts;
    this.#device = device;
    this.#directories = new OpenDirectories(device);
  }

  /** Of an entry that is asked for, and does not come by. */
  readonly leaveOut = (path: string, why: Hold): void => {
    this.#leftOut ??= path;
    this.#options.onLeftAlone?.(path, why);
  };

  async take(path: string, entry: TreeEntry | undefined, present: Present | undefined): Promise<readonly Change[]> {
    if (this.#covering?.isAround(path)) {
      this.#cover(path, entry, present);
      return [];
    }
    const below = belowTop(path, this.#options.top);
    const changes = [...this.#uncovered(), ...this.#removed.leaveFor(below)];
    if (this.#isLeftAlone(path, below, entry, present)) return changes;
    const change = await this.#changeOf(path, entry, present?.found);
    if (entry?.type === 'directory' && present?.found?.type === 'directory') {
      const metadata = metadataOf(comparableOf(present.found, placeOf(this.#options.root, below)));
      this.#directories.enter(below, present.found, metadata, change?.kind === 'settle');
    }
    if (change) changes.push(...this.#noted(path, change, present?.found));
    return changes;
  }

  *rest(): Generator<Change> {
    yield* this.#uncovered();
    yield* this.#removed.all();
  }

  *#uncovered(): Generator<Change> {
    if (this.#covering) yield this.#covering.change;
    this.#covering = undefined;
  }

  #cover(path: string, entry: TreeEntry | undefined, present: Present | undefined): void {
    if (present) this.#requireMovable(path, present);
    if (entry) this.#covering?.comesIn(entry);
    if (present?.found) this.#covering?.goesAlong(present.found);
  }

  /** Of what is below a directory that gives way to something else. */
  #requireMovable(path: string, { found, held }: Present): void {
    const { takes, neverCaptured } = this.#options;
    const isOurs = found && !held && takes({ path, type: typeOf(found) }) && !neverCaptured.has(path);
    if (isOurs) return;
    fail(
      'TARGET_UNFIT',
      `'/${shownPath(this.#covering?.path ?? '')}' gives way to what was there, and '/${shownPath(path)}' in it is left alone`,
      {
        hint: 'move the one or the other away, or restore beside; nothing was touched',
      },
    );
  }

  /** What is held stays, and so do the directories that it is in. */
  #isLeftAlone(path: string, below: string, entry: TreeEntry | undefined, present: Present | undefined): boolean {
    if (this.#held && !isWithin(path, this.#held.path)) this.#held = undefined;
    const around = this.#held;
    if (around) {
      if (!present?.found) return this.#leave(path, entry, around.why);
      if (around.isWanted || around.why !== 'cache') return false;
      this.#removed.stay();
      return true;
    }
    if (!present?.held) return false;
    const { held: why, found } = present;
    this.#held = { path, why, isWanted: entry !== undefined };
    if (why === 'mount') return this.#leaveMount(path, below, entry);
    // Of a cache the directory itself is like any other, as long as it stays one.
    if (why === 'cache' && found && entry?.type === 'directory') return false;
    if (why === 'cache' && entry) this.#refuseHeld(path);
    return this.#leave(path, entry, why);
  }

  #leave(path: string, entry: TreeEntry | undefined, why: Hold): true {
    if (entry && why === 'mount') this.#refuseMount(path, belowTop(this.#held?.path ?? path, this.#options.top));
    if (entry && this.#options.takes(entry)) this.#options.onLeftAlone?.(path, why);
    if (this.#groups.changed.has(path)) this.#leftAlone.set(path, why);
    this.#removed.stay();
    return true;
  }

  #leaveMount(path: string, below: string, entry: TreeEntry | undefined): true {
    if (entry && entry.type !== 'directory') this.#refuseMount(path, below);
    this.#removed.stay();
    return true;
  }

  #refuseMount(path: string, point: string): never {
    const where = placeText(this.#options.root, point);
    fail(
      'TARGET_UNFIT',
      `'/${shownPath(path)}' would change, and it is on another file system, mounted at '${shownPath(where)}'`,
      {
        hint: 'restore beside, or what is on each file system by itself; nothing was touched',
      },
    );
  }

  #refuseHeld(path: string): never {
    fail('TARGET_UNFIT', `'/${shownPath(path)}' would have to give way, and what is in it is left alone`, {
      hint: 'move it away, or restore beside; nothing was touched',
    });
  }

  #noted(path: string, change: Change, found: Found | undefined): Change[] {
    const { kind, path: below, type } = change;
    this.#requireOwn(path, below, found);
    if (kind === 'settle' || kind === 'compare') return [change];
    this.#removed.touch();
    const changes = [...this.#directories.touched(below)];
    if (kind === 'remove') {
      if (type === 'directory') this.#removed.enter(change);
      else changes.push(change);
      return changes;
    }
    const point = found?.type === 'directory' ? this.#mounts.within(below) : undefined;
    if (point !== undefined) this.#refuseMount(path, point);
    this.#covering = new Subtree(path, change);
    return changes;
  }

  #requireOwn(path: string, below: string, found: Found | undefined): void {
    const point = this.#mounts.around(below);
    const device = found?.device ?? this.#directories.deviceAround(below);
    if (point !== undefined || device !== this.#device) this.#refuseMount(path, point ?? below);
  }

  async #changeOf(path: string, entry: TreeEntry | undefined, found: Found | undefined): Promise<Change | undefined> {
    const { top, takes } = this.#options;
    if (path === top) requireDirectory(path, entry, found, this.#leftOut);
    if (!entry) return found && this.#removal(path, found);
    const { type, sizeBytes } = entry;
    const base = { path: belowTop(path, top), type, aspects: [], amount: { entries: 1, bytes: sizeBytes } } as const;
    // A root that is not there is made before anything else.
    if (!found && path === top) return takes(entry) ? { ...base, kind: 'settle', aspects: ['time'] } : undefined;
    const leftAlone = type === 'hardlink' ? this.#leftAlone.get(entry.linkTarget ?? '') : undefined;
    if (leftAlone !== undefined) {
      this.#options.onLeftAlone?.(path, leftAlone);
      return undefined;
    }
    if (!found) return created(base, entry);
    if (!takes(entry)) return this.#requireWay(path, found);
    const isChanged = this.#groups.changed.get(type === 'hardlink' ? (entry.linkTarget ?? '') : path);
    if (isChanged) return replaced(base, entry, found, ['target']);
    if (type === 'hardlink') return undefined;
    // What is kept of the other name must not change with this one.
    const isShared = isChanged === undefined && this.#groups.shared.has(inodeOf(found));
    if (isShared) return replaced(base, entry, found, ['target']);
    const present = comparableOf(found, placeOf(this.#options.root, base.path));
    const aspects = await this.#aspects(entry, present, base.path);
    if (aspects.length === 0) return undefined;
    if (aspects.some((aspect) => REPLACING.has(aspect))) return replaced(base, entry, found, aspects);
    const kind = aspects.includes('content?') ? 'compare' : 'settle';
    const [before, after] = [metadataOf(present), metadataOf(entry)];
    return { ...base, kind, aspects, inode: `${found.inode}`, before, after };
  }

  #removal(path: string, found: Found): Change | undefined {
    const { top, root, takes, neverCaptured } = this.#options;
    const type = typeOf(found);
    if (!takes({ path, type }) || neverCaptured.has(path)) {
      this.#removed.stay();
      return undefined;
    }
    const below = belowTop(path, top);
    const before = metadataOf(comparableOf(found, placeOf(root, below)));
    const amount = { entries: 1, bytes: found.type === 'file' ? found.sizeBytes : 0 };
    return { path: below, kind: 'remove', type, aspects: [], amount, inode: `${found.inode}`, before };
  }

  /** What is not wanted itself, and leads to what is. */
  #requireWay(path: string, found: Found): undefined {
    if (found.type === 'directory') return;
    const what = found.type === 'symlink' ? 'a symbolic link' : `a ${found.type}`;
    fail('TARGET_UNFIT', `'/${shownPath(path)}' is ${what}, and leads to what is to be given back`, {
      hint: 'make it a directory, or give it back as well; nothing was touched',
    });
  }

  async #aspects(entry: TreeEntry, present: Comparable, below: string): Promise<Aspect[]> {
    const { root, hash, givesOwners } = this.#options;
    const aspects = differingAspects(entry, present).filter((aspect) => aspect !== 'owner' || givesOwners);
    if (!hash || !aspects.includes('content?')) return aspects;
    const isSame = (await hash(placeOf(root, below))) === entry.sha256;
    return aspects.flatMap((aspect) => (aspect !== 'content?' ? [aspect] : isSame ? [] : ['content' as const]));
  }
}

/** The root itself is never taken away, and nothing can be kept beside a file. */
function requireDirectory(
  path: string,
  entry: TreeEntry | undefined,
  found: Found | undefined,
  leftOut: string | undefined,
): void {
  if (entry?.type === 'directory' && (!found || found.type === 'directory')) return;
  // Nothing comes by: all that is asked for has been looked at by now.
  if (!entry && leftOut !== undefined) {
    fail(
      'TARGET_UNFIT',
      `today's rules leave out all that is to be given back in '/${shownPath(path)}', such as '/${shownPath(leftOut)}'`,
      {
        hint: 'restore it beside: `--beside DIR`; nothing was touched',
      },
    );
  }
  const what = entry ? 'is not a directory, now or in the snapshot' : 'is not in the snapshot';
  fail('TARGET_UNFIT', `'/${shownPath(path)}' ${what}: it cannot be given back in place`, {
    hint: 'restore it beside; nothing was touched',
  });
}

type Base = Pick<Change, 'path' | 'type' | 'aspects' | 'amount'>;

function created(base: Base, entry: TreeEntry): Change {
  return { ...base, kind: 'create', neededBytes: neededBytes(entry) };
}

function replaced(base: Base, entry: TreeEntry, found: Found, aspects: readonly Aspect[]): Change {
  return { ...base, kind: 'replace', aspects, neededBytes: neededBytes(entry), inode: `${found.inode}` };
}
