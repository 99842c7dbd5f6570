// A directory of one comparison, locked as long as that lasts; what comparisons that were killed have left is removed by the next one.

import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { holdLock, isLockHeld } from '../process/index.ts';

const PREFIX = 'holdfast-diff-';
const LOCK = 'lock';
/** Between making the file of its lock and holding it nobody takes longer. */
const YOUNG_MS = 60_000;

export async function inDiffDirectory<T>(signal: AbortSignal, work: (directory: string) => Promise<T>): Promise<T> {
  await removeLeft();
  const directory = await mkdtemp(path.join(os.tmpdir(), PREFIX));
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

async function removeLeft(): Promise<void> {
  const names = (await readdir(os.tmpdir())).filter((name) => name.startsWith(PREFIX));
  for (const name of names) {
    const directory = path.join(os.tmpdir(), name);
    if (await isLeft(directory)) await rm(directory, { recursive: true, force: true });
  }
}

/** Ours, and nobody's any more. One without a lock is being made, or is empty. */
async function isLeft(directory: string): Promise<boolean> {
  const lock = path.join(directory, LOCK);
  try {
    const [itself, { mtimeMs }] = [await lstat(directory), await lstat(lock)];
    if (!itself.isDirectory() || itself.uid !== process.geteuid?.() || Date.now() - mtimeMs < YOUNG_MS) return false;
    return !(await isLockHeld(lock));
  } catch (error) {
    // Its comparison has ended meanwhile, or it is nothing that we may look at.
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
