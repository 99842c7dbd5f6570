// One walk over the roots, in walk order: every name is looked at through a handle of its directory, so that no link is ever followed.

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
} from 'node:fs';
import { bytesOfText, pathOfText, textOfPath } from '../../domain/path-text.ts';
import type { Found, FoundBatch, FoundType, LeftOut, Unseen } from './found.ts';
import { CACHE_SIGNATURE, CACHE_TAG, OWN_DIRECTORY, PathRules, type ScanRules, whyLeftOut } from './rules.ts';

export interface WalkRequest {
  /** Absolute, in walk order, none inside of another. */
  readonly roots: readonly string[];
  readonly rules: ScanRules;
  /** Whether names that patterns leave out are told too. */
  readonly tellsExcluded?: boolean;
  /** No name is left out, not ours either: of trees that a restore has made. */
  readonly seesAll?: boolean;
  /** Path below the one root of a directory with which the walk begins; patterns are those of the root. */
  readonly below?: string;
}

const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const REPLACEMENT = '\ufffd';
const BLOCK_BYTES = 512n;
const BATCH = 1024;

export type Info = ReturnType<typeof lstatOf>;

/** A directory that the walk is in; `handle` is -1 while what is below it is walked. */
interface Place {
  handle: number;
  readonly info: Info;
  /** As entries name it, and below its root. */
  readonly shown: string;
  readonly relative: string;
}

/** Throws what `stat` says of a root that cannot be looked at: a root that is not there is no empty one. */
export function* walk(request: WalkRequest): Generator<FoundBatch> {
  const collected = new Collected();
  for (const root of request.roots) yield* new Walk(root, request, collected).all();
  yield collected.take();
}

class Collected {
  #found: Found[] = [];
  #unseen: Unseen[] = [];
  #leftOut: LeftOut[] = [];

  get isFull(): boolean {
    return this.#found.length + this.#unseen.length + this.#leftOut.length >= BATCH;
  }

  add(found: Found): void {
    this.#found.push(found);
  }

  unseen(at: string, error: unknown): void {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    this.#unseen.push({ path: at, code });
  }

  leaveOut(at: string, why: LeftOut['why']): void {
    this.#leftOut.push({ path: at, why });
  }

  take(): FoundBatch {
    const batch = { found: this.#found, unseen: this.#unseen, leftOut: this.#leftOut };
    this.#found = [];
    this.#unseen = [];
    this.#leftOut = [];
    return batch;
  }
}

class Walk {
  readonly #root: string;
  readonly #rules: ScanRules;
  readonly #paths: PathRules;
  readonly #collected: Collected;
  readonly #tellsExcluded: boolean;
  readonly #seesAll: boolean;
  readonly #below: string;

  constructor(
    root: string,
    { rules, tellsExcluded = false, seesAll = false, below = '' }: WalkRequest,
    collected: Collected,
  ) {
    this.#root = root;
    this.#rules = rules;
    this.#paths = new PathRules(rules.exclude);
    this.#collected = collected;
    this.#tellsExcluded = tellsExcluded;
    this.#seesAll = seesAll;
    this.#below = below;
  }

  *all(): Generator<FoundBatch> {
    if (this.#below !== '') {
      yield* this.#allBelow(this.#below);
      return;
    }
    // A root may be a link: what it leads to is meant.
    const info = statSync(pathOfText(this.#root), { bigint: true });
    const shown = this.#root.slice(1);
    if (shown !== '') this.#note(shown, this.#root, info);
    if (!info.isDirectory()) return;
    const handle = openSync(pathOfText(this.#root), constants.O_RDONLY | constants.O_DIRECTORY);
    const place: Place = { handle, info, shown, relative: '' };
    try {
      requireSame(place);
      yield* this.#inside(place);
    } finally {
      close(place);
    }
  }

  *#allBelow(relative: string): Generator<FoundBatch> {
    const handle = openBelow(this.#root, relative);
    const shown = joined(this.#root.slice(1), relative);
    const place: Place = { handle, info: fstatSync(handle, { bigint: true }), shown, relative };
    try {
      yield* this.#inside(place);
    } finally {
      close(place);
    }
  }

  /** `place` is open at the beginning; at the end, unless the way back to it was lost: then the rest of it was told as unseen. */
  *#inside(place: Place): Generator<FoundBatch> {
    for (const name of this.#names(place)) {
      const shown = joined(place.shown, name);
      const relative = joined(place.relative, name);
      const info = this.#look(place, name, shown, relative);
      if (info?.isDirectory()) {
        if (this.#rules.oneFileSystem && info.dev !== place.info.dev) this.#collected.leaveOut(shown, 'mount');
        else yield* this.#descend(place, name, { handle: -1, info, shown, relative });
        if (place.handle < 0) return;
      }
      if (this.#collected.isFull) yield this.#collected.take();
    }
  }

  /** Only one directory is open at a time, so that depth costs no handles. */
  *#descend(place: Place, name: string, inner: Place): Generator<FoundBatch> {
    try {
      inner.handle = openSync(below(place, name), OPEN_DIRECTORY);
      requireSame(inner);
    } catch (error) {
      close(inner);
      this.#collected.unseen(inner.shown, error);
      return;
    }
    close(place);
    try {
      yield* this.#inside(inner);
      this.#comeBack(place, inner);
    } finally {
      close(inner);
    }
  }

  #comeBack(place: Place, inner: Place): void {
    const ways = [...(inner.handle < 0 ? [] : [() => openSync(`/proc/self/fd/${inner.handle}/..`, OPEN_DIRECTORY)])];
    ways.push(() => openBelow(this.#root, place.relative));
    let failure: unknown;
    for (const way of ways) {
      try {
        place.handle = way();
        requireSame(place);
        return;
      } catch (error) {
        close(place);
        failure = error;
      }
    }
    this.#collected.unseen(place.shown, failure);
  }

  #names(place: Place): string[] {
    try {
      const names = namesOf(place.handle);
      if (this.#rules.cacheTags && names.includes(CACHE_TAG) && isCacheTag(below(place, CACHE_TAG))) {
        this.#collected.leaveOut(place.shown, 'cache');
        return [CACHE_TAG];
      }
      return names;
    } catch (error) {
      this.#collected.unseen(place.shown, error);
      return [];
    }
  }

  #look(place: Place, name: string, at: string, relative: string): Info | undefined {
    const where = below(place, name);
    try {
      const info = lstatOf(where);
      if (!this.#seesAll && this.#paths.leavesOut(relative, info.isDirectory())) {
        this.#tellLeftOut(at, relative);
        return undefined;
      }
      return this.#note(at, where, info) ? info : undefined;
    } catch (error) {
      // Gone since its name was read: it was not there.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#collected.unseen(at, error);
      return undefined;
    }
  }

  #tellLeftOut(at: string, relative: string): void {
    const why = whyLeftOut(relative);
    if (relative !== OWN_DIRECTORY && (why === 'of Holdfast' || this.#tellsExcluded)) this.#collected.leaveOut(at, why);
  }

  #note(at: string, where: string | Buffer, info: Info): boolean {
    const type = typeOf(info);
    const { largestBytes } = this.#rules;
    if (type === 'socket') {
      this.#collected.leaveOut(at, 'socket');
      return false;
    }
    if (type === 'file' && largestBytes !== undefined && info.size > BigInt(largestBytes)) {
      this.#collected.leaveOut(at, 'too large');
      return false;
    }
    this.#collected.add(foundOf(at, where, info));
    return true;
  }
}

/** `where`: the entry's own place, for what a link says. */
export function foundOf(path: string, where: string | Buffer, info: Info): Found {
  const type = typeOf(info);
  return {
    path,
    type,
    mode: Number(info.mode) & 0o7777,
    uid: Number(info.uid),
    gid: Number(info.gid),
    links: info.nlink,
    device: info.dev,
    inode: info.ino,
    sizeBytes: Number(info.size),
    mtimeNs: info.mtimeNs,
    ctimeNs: info.ctimeNs,
    hasHoles: type === 'file' && info.blocks * BLOCK_BYTES < info.size,
    rdev: info.rdev,
    ...(type === 'symlink' && { linkTarget: textOfPath(readlinkSync(where, 'buffer')) }),
  };
}

/** In walk order. Names that are no UTF-8 are read again as bytes. */
function namesOf(handle: number): string[] {
  const directory = `/proc/self/fd/${handle}`;
  const names = readdirSync(directory);
  if (!names.some((name) => name.includes(REPLACEMENT))) return names.sort();
  return readdirSync(directory, 'buffer')
    .map((name) => textOfPath(name))
    .sort();
}

function below({ handle }: Place, name: string): string | Buffer {
  const text = `/proc/self/fd/${handle}/${name}`;
  return pathOfText(text);
}

function joined(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

function close(place: Place): void {
  if (place.handle >= 0) closeSync(place.handle);
  place.handle = -1;
}

/** Part by part, so that no link on the way is followed. */
function openBelow(root: string, relative: string): number {
  let handle = openSync(pathOfText(root), constants.O_RDONLY | constants.O_DIRECTORY);
  for (const name of relative === '' ? [] : relative.split('/')) {
    const parent = handle;
    try {
      handle = openSync(pathOfText(`/proc/self/fd/${parent}/${name}`), OPEN_DIRECTORY);
    } finally {
      closeSync(parent);
    }
  }
  return handle;
}

export function lstatOf(where: string | Buffer) {
  return lstatSync(typeof where === 'string' ? pathOfText(where) : where, { bigint: true });
}

/** What was opened is what was looked at. */
function requireSame({ handle, info }: Place): void {
  const now = fstatSync(handle, { bigint: true });
  if (now.dev === info.dev && now.ino === info.ino) return;
  throw Object.assign(new Error('another directory has its place by now'), { code: 'ESTALE' });
}

/** What cannot be read is no tag. */
function isCacheTag(where: string | Buffer): boolean {
  let handle: number | undefined;
  try {
    handle = openSync(where, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const start = Buffer.alloc(CACHE_SIGNATURE.length);
    if (fstatSync(handle).isFile()) readSync(handle, start, 0, start.length, 0);
    return start.equals(bytesOfText(CACHE_SIGNATURE));
  } catch {
    return false;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

function typeOf(info: Info): FoundType {
  if (info.isFile()) return 'file';
  if (info.isDirectory()) return 'directory';
  if (info.isSymbolicLink()) return 'symlink';
  if (info.isFIFO()) return 'fifo';
  if (info.isSocket()) return 'socket';
  return info.isCharacterDevice() ? 'character device' : 'block device';
}
