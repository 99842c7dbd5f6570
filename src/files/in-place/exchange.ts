// The exchange of one root and its undoing: renames, each of which the names alone tell whether it was done.

import { chmod, lchown, lstat, mkdir, rename, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { pathOfText } from '../../domain/path-text.ts';
import { isThere, setAttributes, setTimes } from '../../system/index.ts';
import type { Change, Metadata } from './changes.ts';
import type { RunPlace } from './place.ts';

export interface ExchangeHooks {
  /** Right before each rename and each settling: throws when this run may not go on. */
  readonly check?: () => Promise<void>;
  /** A property that this user or file system does not allow. */
  readonly onLacking?: (path: string, what: string, code: string) => void;
}

type Changes = AsyncIterable<Change>;
const NOT_HERE = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL']);

/** May be called again after it was killed. */
export async function exchange(place: RunPlace, changes: Changes, hooks: ExchangeHooks): Promise<void> {
  await pass(place, changes, hooks, bringIn, ({ after }) => after);
}

/** The reverse, from wherever the exchange or an earlier undoing has come to. */
export async function undoExchange(place: RunPlace, changes: Changes, hooks: ExchangeHooks): Promise<void> {
  await pass(place, changes, hooks, takeBack, ({ before }) => before);
}

/** Directories are settled last, those below others first: every rename in one changes its time. */
async function pass(
  place: RunPlace,
  changes: Changes,
  hooks: ExchangeHooks,
  act: (place: RunPlace, change: Change) => Promise<void>,
  wanted: (change: Change) => Metadata | undefined,
): Promise<void> {
  const directories: Change[] = [];
  for await (const change of changes) {
    await hooks.check?.();
    const isDirectory = change.type === 'directory';
    if (isDirectory && (change.kind === 'settle' || change.kind === 'remove')) directories.push(change);
    else if (change.kind !== 'settle') await act(place, change);
    else await settle(place, change, wanted(change), hooks);
  }
  for (const change of directories.sort((a, b) => depth(b.path) - depth(a.path))) {
    await hooks.check?.();
    if (change.kind === 'remove') await act(place, change);
    await settle(place, change, wanted(change), hooks);
  }
}

function depth(text: string): number {
  return text === '' ? 0 : text.split('/').length;
}

async function bringIn({ root, staged, kept }: RunPlace, { path: name, kind, type }: Change): Promise<void> {
  if (kind === 'remove' && type === 'directory') return removeEmpty(at(root, name));
  const isWaiting = kind !== 'remove' && (await exists(staged, name));
  const isThere = await exists(root, name);
  if (kind === 'remove') {
    // What is there although it was taken away is somebody else's, and new.
    if (isThere && !(await exists(kept, name))) await move(root, kept, name);
    return;
  }
  if (!isWaiting) return;
  if (isThere) await move(root, kept, name);
  await move(staged, root, name);
}

async function takeBack({ root, staged, kept }: RunPlace, { path: name, kind, type }: Change): Promise<void> {
  if (kind === 'remove' && type === 'directory') {
    await mkdir(at(root, name), { recursive: true, mode: 0o700 });
    return;
  }
  const isKept = await exists(kept, name);
  const isThere = await exists(root, name);
  // What came in, or what somebody has put where something was removed.
  const goesOut = kind === 'remove' ? isKept && isThere : isThere && !(await exists(staged, name));
  if (goesOut) await move(root, staged, name);
  if (isKept) await move(kept, root, name);
}

/** What is left in it is not ours to take away. */
async function removeEmpty(directory: string | Buffer): Promise<void> {
  await rmdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  });
}

/** A name that is taken there already stays: two of one name are both kept. */
async function move(from: string, to: string, name: string): Promise<void> {
  await mkdir(at(to, path.posix.dirname(name)), { recursive: true, mode: 0o700 });
  let target = name;
  for (let number = 1; await exists(to, target); number++) target = `${name}.${number}`;
  await rename(at(from, name), at(to, target));
}

async function settle(
  { root }: RunPlace,
  { path: name, type }: Change,
  wanted: Metadata | undefined,
  { onLacking }: ExchangeHooks,
): Promise<void> {
  if (!wanted || !(await exists(root, name))) return;
  const target = at(root, name);
  const lacking = (what: string, error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !NOT_HERE.has(code)) throw error;
    onLacking?.(name, what, code);
  };
  const { uid, gid } = await lstat(target);
  if (uid !== wanted.uid || gid !== wanted.gid) {
    await lchown(target, wanted.uid, wanted.gid).catch((error: unknown) => lacking('owner', error));
  }
  setAttributes(target, wanted.xattrs, (what, act) => {
    try {
      act();
    } catch (error) {
      lacking(what, error);
    }
  });
  if (type !== 'symlink') await chmod(target, wanted.mode);
  const mtimeNs = BigInt(wanted.mtimeNs);
  setTimes(target, { atimeNs: mtimeNs, mtimeNs });
}

function at(directory: string, name: string): string | Buffer {
  return pathOfText(name === '' || name === '.' ? directory : `${directory}/${name}`);
}

function exists(directory: string, name: string): Promise<boolean> {
  return isThere(at(directory, name));
}
