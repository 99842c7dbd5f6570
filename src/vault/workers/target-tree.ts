// Paths below a restore's target that lead there whatever somebody else puts in the way: no link is followed on any step.

import { closeSync, constants, fsyncSync, mkdirSync, openSync, readdirSync, unlinkSync } from 'node:fs';
import { pathOfText } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import type { Lacking, TargetRoot } from './jobs.ts';

/** Of each thread: the usual limit of a process is 1,024. */
const MOST_OPEN = 32;
const MOST_TOLD = 100;
/** The user has no right to it, or the file system no such thing. */
const NOT_HERE = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL']);
const FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Keeps directories open and names files below the open directory (`/proc/self/fd/N/name`), because Node has no `openat`. */
export class TargetTree {
  readonly root: TargetRoot;
  /** By path below the root, least recently used first. */
  readonly #open = new Map<string, number>();
  readonly #renamedIn = new Set<string>();
  readonly #cleared = new Set<string>();
  readonly #lacking: Lacking[] = [];
  #lackingCount = 0;

  constructor(root: TargetRoot) {
    this.root = root;
  }

  /** Where `path` (below the root) can be touched; directories on the way are made, with mode 0700. */
  locate(path: string): { readonly directory: string; readonly name: string } {
    const end = path.lastIndexOf('/');
    const handle = this.#directory(end < 0 ? '' : path.slice(0, end));
    return { directory: `/proc/self/fd/${handle}`, name: path.slice(end + 1) };
  }

  /** A name was given in the directory of `path`. */
  noteRename(path: string): void {
    this.#renamedIn.add(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  }

  /** Files of the directory of `path` whose names are told to be left over go, the first time it is asked. */
  clearOnce(path: string, isLeftover: (name: string) => boolean): void {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (this.#cleared.has(parent)) return;
    this.#cleared.add(parent);
    const directory = `/proc/self/fd/${this.#directory(parent)}`;
    for (const name of readdirSync(directory)) if (isLeftover(name)) removeIfThere(`${directory}/${name}`);
  }

  /** What may not be possible here, for the user or the file system: told instead of thrown. */
  attempt(path: string, what: string, act: () => unknown): void {
    try {
      act();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined || !NOT_HERE.has(code)) throw error;
      this.#lackingCount++;
      if (this.#lacking.length < MOST_TOLD) this.#lacking.push({ path, what, code });
    }
  }

  get lacking(): { readonly lacking: readonly Lacking[]; readonly lackingCount: number } {
    return { lacking: this.#lacking, lackingCount: this.#lackingCount };
  }

  /** Names that were given are on the disk. */
  sync(): void {
    for (const path of this.#renamedIn) fsyncSync(this.#directory(path));
    this.#renamedIn.clear();
  }

  close(): void {
    for (const handle of this.#open.values()) closeSync(handle);
    this.#open.clear();
  }

  #directory(path: string): number {
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    const handle = path === '' ? this.#openRoot() : this.#openBelow(path);
    this.#open.set(path, handle);
    if (this.#open.size > MOST_OPEN) {
      const [[oldest, its]] = this.#open as unknown as [[string, number]];
      this.#open.delete(oldest);
      closeSync(its);
    }
    return handle;
  }

  /** The root itself is what the caller says, also through links. */
  #openRoot(): number {
    return openSync(this.root.directory, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  #openBelow(path: string): number {
    const { directory, name } = this.locate(path);
    const place = pathOfText(`${directory}/${name}`);
    for (let attempt = 1; ; attempt++) {
      try {
        return openSync(place, FLAGS);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOTDIR' || code === 'ELOOP') {
          fail('TARGET_UNFIT', `'${this.root.directory}/${path}' is there and is not a directory`, { cause: error });
        }
        if (code !== 'ENOENT' || attempt > 1) throw error;
      }
      makeDirectory(place);
    }
  }
}

/** Another thread may be faster. */
function makeDirectory(place: string | Buffer): void {
  try {
    mkdirSync(place, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Another thread may be faster. */
function removeIfThere(place: string): void {
  try {
    unlinkSync(place);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
