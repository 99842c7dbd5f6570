// Small file operations that are on the disk when they return, and give the file to the server's user.

import { chown, lstat, mkdir, open, readFile, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { findUser } from '../../process/index.ts';
import { syncDirectory } from '../../system/index.ts';

export { isThere as exists, syncDirectory } from '../../system/index.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Owner of what the recovered server must be able to use; `undefined` when that is ourselves. */
export async function ownerFor(runAs: string | undefined): Promise<Owner | undefined> {
  if (runAs === undefined) return undefined;
  const { uid, gid } = await findUser(runAs);
  return uid === process.getuid?.() ? undefined : { uid, gid };
}

export async function give(file: string, owner: Owner | undefined): Promise<void> {
  if (owner !== undefined) await chown(file, owner.uid, owner.gid);
}

/** Makes a directory (and its parents, which stay ours) with exactly this mode. */
export async function makeDirectory(directory: string, mode: number, owner?: Owner): Promise<void> {
  await mkdir(directory, { recursive: true });
  const handle = await open(directory, 'r');
  try {
    await handle.chmod(mode);
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
  } finally {
    await handle.close();
  }
}

/** Puts a file in place whole or not at all: written under another name, on the disk, then renamed. */
export async function writeDurably(
  file: string,
  content: string | Uint8Array,
  mode = 0o600,
  owner?: Owner,
): Promise<void> {
  const partial = `${file}.part`;
  const handle = await open(partial, 'w', mode);
  try {
    await handle.chmod(mode);
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, file);
  await syncDirectory(path.dirname(file));
}

export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(path.dirname(to));
  if (path.dirname(from) !== path.dirname(to)) await syncDirectory(path.dirname(from));
}

/** Points a link at a place, whatever it pointed at before; at every instant one of the two is true. */
export async function linkTo(target: string, name: string): Promise<void> {
  const partial = `${name}.holdfast-part`;
  await rm(partial, { force: true });
  await symlink(target, partial);
  await renameDurably(partial, name);
}

export async function lstatIfThere(file: string) {
  return lstat(file).catch(ifAbsent(undefined));
}

export async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(ifAbsent(undefined));
}

/** For `.catch`: a fallback for what does not exist, every other failure goes on. */
export function ifAbsent<T>(fallback: T): (error: unknown) => T {
  return (error) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return fallback;
    throw error;
  };
}
