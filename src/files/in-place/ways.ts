// Ways below a directory that is open: each directory on one is opened by its own name, so that no link, no other mount and no other file system is entered.

import { closeSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import { shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { lookAt, mountOf, type NameIn, openPlace, pathIn } from '../../system/index.ts';
import { isWithin } from '../restore/select.ts';

/** The usual limit of a process is 1,024, and an exchange has several of these. */
const MOST_OPEN = 32;

export class Ways {
  readonly #top: number;
  readonly #shown: string;
  readonly #mount: string;
  /** By path, least recently used first. */
  readonly #open = new Map<string, number>();

  /** `top` stays the caller's; `shown`, for people. */
  constructor(top: number, shown: string) {
    this.#top = top;
    this.#shown = shown;
    this.#mount = mountOf(top);
  }

  /** The name itself in its directory; undefined when that is not there. Throws `TARGET_UNFIT` where something else than a directory is on the way. */
  find(name: string): NameIn | undefined {
    return this.#nameIn(name, () => undefined);
  }

  /** As `find`; directories that are missing on the way are made, with mode 0700, and what is in the way of one is given to `clear`. */
  make(name: string, clear?: (inTheWay: string) => void): NameIn {
    const making = (directory: NameIn) => {
      mkdirSync(pathIn(directory), 0o700);
      return openPlace(directory, constants.O_DIRECTORY);
    };
    const found = this.#nameIn(name, making, clear);
    return found ?? fail('INTERNAL', `no way to '${name}' was made`);
  }

  /** What the name means now. */
  look(name: string) {
    const found = this.find(name);
    return found && lookAt(found);
  }

  /** Nothing at or below this path is what it was any more. */
  forget(name: string): void {
    for (const [known, handle] of this.#open) {
      if (!isWithin(known, name)) continue;
      this.#open.delete(known);
      closeSync(handle);
    }
  }

  close(): void {
    this.forget('');
  }

  #nameIn(name: string, absent: (directory: NameIn) => number | undefined, clear?: (inTheWay: string) => void) {
    const parent = path.posix.dirname(name);
    const directory = this.#directory(parent === '.' ? '' : parent, absent, clear);
    return directory === undefined ? undefined : { directory, name: path.posix.basename(name) };
  }

  #directory(
    way: string,
    absent: (directory: NameIn) => number | undefined,
    clear?: (inTheWay: string) => void,
  ): number | undefined {
    if (way === '') return this.#top;
    const known = this.#open.get(way);
    if (known !== undefined) {
      this.#open.delete(way);
      this.#open.set(way, known);
      return known;
    }
    const name = this.#nameIn(way, absent, clear);
    const handle = name && this.#enter(way, name, absent, clear);
    if (handle === undefined) return undefined;
    this.#open.set(way, handle);
    if (this.#open.size > MOST_OPEN) this.#closeOldest();
    return handle;
  }

  #enter(
    way: string,
    name: NameIn,
    absent: (directory: NameIn) => number | undefined,
    clear?: (inTheWay: string) => void,
  ): number | undefined {
    let handle: number | undefined;
    try {
      handle = openPlace(name, constants.O_DIRECTORY);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTDIR' || code === 'ELOOP') {
        if (!clear) this.#refuse(way, 'is no directory', error);
        clear(way);
      } else if (code !== 'ENOENT') throw error;
      handle = absent(name);
    }
    if (handle === undefined || mountOf(handle) === this.#mount) return handle;
    closeSync(handle);
    return this.#refuse(way, 'is on another file system');
  }

  #refuse(way: string, what: string, cause?: unknown): never {
    return fail(
      'TARGET_UNFIT',
      `'${this.#shown}/${shownPath(way)}' ${what}, and the way to what changes leads through it`,
      {
        hint: 'somebody put it there; move it away, then go on or roll back',
        cause,
      },
    );
  }

  #closeOldest(): void {
    const [[oldest, handle]] = this.#open as unknown as [[string, number]];
    this.#open.delete(oldest);
    closeSync(handle);
  }
}
