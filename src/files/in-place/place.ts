// Where runs work in a root: its own directory `.holdfast`, held open, so that nobody puts another one in its way.

import { closeSync, constants, fchmodSync, fstatSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { lookAt, mountOf, type NameIn, pathIn, setTimes, syncDirectory } from '../../system/index.ts';
import { OWN_DIRECTORY } from '../scan/rules.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const RUN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/;

/** `.holdfast` of a root. */
export interface Home {
  /** Absolute, without links. */
  readonly root: string;
  readonly rootHandle: number;
  readonly handle: number;
  /** For people. */
  readonly shown: string;
  close(): void;
}

/** What a run has there; the paths are for this process alone. */
export interface RunPlace {
  readonly home: Home;
  readonly run: string;
  readonly handle: number;
  /** For people. */
  readonly shown: string;
  readonly directory: string;
  readonly changes: string;
  readonly exchange: string;
  readonly brought: string;
  readonly journal: string;
  close(): void;
}

/** What a run keeps trees in: what comes in, what was there, what somebody wrote since, what is being removed. */
export type Part = 'new' | 'old' | 'written' | 'trash';

/** Absolute, without links; of a root that is not there as far as its way is. Throws `USAGE`, `TARGET_UNFIT`. */
export function realRoot(root: string): string {
  if (!root.startsWith('/')) fail('USAGE', `'${root}' is no absolute path`);
  const asked = path.resolve(root);
  for (let there = asked; ; there = path.dirname(there)) {
    try {
      return path.join(realpathSync(there), path.relative(there, asked));
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT' && there !== '/' && !isDangling(there)) continue;
      fail('TARGET_UNFIT', `'${root}' cannot be looked at: ${message}`, { cause });
    }
  }
}

/** A link that leads nowhere is there, and is nothing that could be made. */
function isDangling(place: string): boolean {
  const directory = openDirectory(path.dirname(place));
  if (directory === undefined) return false;
  try {
    return lookAt({ directory, name: path.basename(place) }) !== undefined;
  } finally {
    closeSync(directory);
  }
}

function openDirectory(place: string): number | undefined {
  try {
    return openSync(place, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined where there is none, unless `makes` says to make it, and the root. Throws `TARGET_UNFIT` for one that is not ours alone. */
export async function openHome(asked: string, { makes }: { readonly makes: boolean }): Promise<Home | undefined> {
  const root = realRoot(asked);
  if (makes) await makeRoot(root);
  const rootHandle = openRoot(root);
  if (rootHandle === undefined) return undefined;
  let handle: number | undefined;
  const close = () => {
    if (handle !== undefined) closeSync(handle);
    closeSync(rootHandle);
  };
  try {
    const name = { directory: rootHandle, name: OWN_DIRECTORY };
    const isNew = makes && makeHome(name);
    const shown = path.join(root, OWN_DIRECTORY);
    handle = openOwn(name, shown);
    if (handle !== undefined) {
      if (isNew) fchmodSync(handle, 0o700);
      requireOwn(handle, rootHandle, shown);
      return { root, rootHandle, handle, shown, close };
    }
    close();
    return undefined;
  } catch (error) {
    close();
    throw error;
  }
}

/** What is there and no directory is told when it is opened. */
async function makeRoot(root: string): Promise<void> {
  await mkdir(root, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

function openRoot(root: string): number | undefined {
  try {
    return openSync(root, DIRECTORY);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR') fail('TARGET_UNFIT', `'${root}' is a file: restore it beside`, { cause });
    throw cause;
  }
}

/** The root keeps its own times: nothing of it was changed yet. */
function makeHome(name: NameIn): boolean {
  const { atimeNs, mtimeNs } = fstatSync(name.directory, { bigint: true });
  try {
    mkdirSync(pathIn(name), 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  setTimes(name.directory, { atimeNs, mtimeNs });
  return true;
}

function openOwn(name: NameIn, shown: string): number | undefined {
  try {
    return openSync(pathIn(name), DIRECTORY);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR' || code === 'ELOOP') refuse(shown, 'is no directory', { cause });
    throw cause;
  }
}

function requireOwn(handle: number, around: number, shown: string): void {
  const { uid, mode } = fstatSync(handle);
  if (uid !== process.geteuid?.()) {
    refuse(shown, `belongs to another user (${uid})`, {
      hint: 'run this as that user: what a restore keeps may lie in it',
    });
  }
  if ((mode & 0o777) !== 0o700) refuse(shown, `has mode ${(mode & 0o777).toString(8)} instead of 700`);
  if (mountOf(handle) !== mountOf(around)) refuse(shown, 'is on another file system');
}

function refuse(shown: string, what: string, why: { readonly cause?: unknown; readonly hint?: string } = {}): never {
  fail('TARGET_UNFIT', `'${shown}' ${what}: it must be a directory of ours that nobody else may look into`, {
    hint: 'find out who made it and move it away; nothing was touched',
    ...why,
  });
}

export function isRunName(text: string): boolean {
  return RUN.test(text);
}

/** Undefined where nobody knows the run, unless `makes`. Throws `USAGE` for a name that is none. */
export async function openRun(
  home: Home,
  run: string,
  { makes }: { readonly makes: boolean },
): Promise<RunPlace | undefined> {
  if (!isRunName(run)) fail('USAGE', `'${run}' cannot be the name of a run`);
  const name = { directory: home.handle, name: run };
  const shown = path.join(home.shown, run);
  if (makes && !lookAt(name)) {
    mkdirSync(pathIn(name), 0o700);
    await syncDirectory(`/proc/self/fd/${home.handle}`);
  }
  const handle = openOwn(name, shown);
  if (handle === undefined) return undefined;
  const directory = `/proc/self/fd/${handle}`;
  const at = (file: string) => `${directory}/${file}`;
  return {
    home,
    run,
    handle,
    shown,
    directory,
    changes: at('changes.jsonl'),
    exchange: at('exchange.jsonl'),
    brought: at('brought.jsonl'),
    journal: at('journal.jsonl'),
    close: () => closeSync(handle),
  };
}

/** A directory of the run, made when needed; the caller closes it. */
export function openPart({ handle, shown }: RunPlace, part: Part): number {
  const name = { directory: handle, name: part };
  try {
    mkdirSync(pathIn(name), 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return openOwn(name, path.join(shown, part)) ?? refuse(path.join(shown, part), 'went away');
}
