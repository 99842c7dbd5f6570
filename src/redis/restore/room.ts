// Room on this host for what a restore brings, and for what a live one keeps: an RDB of what the running server has by then.

import { readdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { bytesText } from '../../domain/size.ts';
import { HoldfastError } from '../../errors/index.ts';
import { isThere } from '../../system/index.ts';
import type { ServerIdentity } from '../identity.ts';
import type { StoredDetails } from './fetch.ts';

/** An RDB takes less than the memory it is made of, and not much less than this part of it: a nearly empty one says little of a full one. */
const LEAST_SHARE = 1 / 8;

/** What the kernel counts in, whatever the file system (stat(2)). */
const BLOCK_BYTES = 512;

export interface Room {
  readonly neededBytes: number;
  readonly availableBytes: number;
}

/** About as much, of each byte of memory, as the snapshot takes of its own. */
export function keptBytes(
  { sizeBytes, facts }: Pick<StoredDetails, 'sizeBytes' | 'facts'>,
  { usedMemoryBytes }: Pick<ServerIdentity, 'usedMemoryBytes'>,
): number {
  const share = sizeBytes / (facts.usedMemoryBytes ?? sizeBytes);
  return Math.ceil(usedMemoryBytes * Math.min(1, Math.max(LEAST_SHARE, share || 1)));
}

export function noRoom(where: string, { neededBytes, availableBytes }: Room): HoldfastError[] {
  if (neededBytes <= availableBytes) return [];
  const message = `${bytesText(neededBytes)} are needed for '${where}', ${bytesText(availableBytes)} are free`;
  return [new HoldfastError('NO_SPACE', message)];
}

/** Throws `NO_SPACE`. */
export async function requireRoom(where: string, neededBytes: number): Promise<void> {
  const [problem] = noRoom(where, { neededBytes, availableBytes: await freeFor(where) });
  if (problem !== undefined) throw problem;
}

/** On the disk, of the files in a directory; 0 where there is none. */
export async function bytesIn(directory: string): Promise<number> {
  if (!(await isThere(directory))) return 0;
  const stats = await Promise.all((await readdir(directory)).map((name) => stat(path.join(directory, name))));
  return stats.reduce((sum, { blocks }) => sum + blocks * BLOCK_BYTES, 0);
}

/** Of the file system that the place is on, or will be. */
export async function freeFor(place: string): Promise<number> {
  for (let at = path.resolve(place); ; at = path.dirname(at)) {
    try {
      await stat(at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || at === '/') throw error;
      continue;
    }
    const { bavail, bsize } = await statfs(at);
    return bavail * bsize;
  }
}
