// A directory for one piece of work, locked as long as that lasts; what pieces that were killed have left is removed by the next one.

import { lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { holdLock, isLockHeld } from './lock.ts';

const LOCK = 'lock';
/** Between making the directory and holding its lock nobody takes longer. */
const YOUNG_MS = 60_000;

export interface OwnDirectory {
  /** Made where it is not there. */
  readonly parent: string;
  /** Of its name, and of nobody else's names there. */
  readonly prefix: string;
  readonly signal: AbortSignal;
}

/** It is gone with the work, however that ends. */
export async function inOwnDirectory<T>(
  { parent, prefix, signal }: OwnDirectory,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await removeLeft(parent, prefix);
  const directory = await mkdtemp(path.join(parent, prefix));
  try {
    const lock = await holdLock(path.join(directory, LOCK), { signal });
    try {
      return await work(directory);
    } finally {
      await lock.release();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function removeLeft(parent: string, prefix: string): Promise<void> {
  const names = (await readdir(parent)).filter((name) => name.startsWith(prefix));
  for (const name of names) {
    const directory = path.join(parent, name);
    if (await isLeft(directory)) await rm(directory, { recursive: true, force: true });
  }
}

/** Ours, and nobody's any more. By the lock and not by process ids, which are others in every container. */
async function isLeft(directory: string): Promise<boolean> {
  try {
    const itself = await lstat(directory);
    const isOurs = itself.isDirectory() && itself.uid === process.geteuid?.();
    if (!isOurs || Date.now() - itself.mtimeMs < YOUNG_MS) return false;
    return !(await isLockHeld(path.join(directory, LOCK)));
  } catch (error) {
    // Its work has ended meanwhile, or it is nothing that we may look at.
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
