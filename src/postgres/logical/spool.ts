// The place on this host's disk where a dump lies in clear between the tool and the vault: one for a component, locked, empty before and after.

import { mkdir, mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesText } from '../../domain/size.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { type HeldLock, holdLock } from '../../process/index.ts';

export interface Spool {
  /** Absolute; only its owner may enter. */
  readonly directory: string;
  /** Throws `NO_SPACE` with the numbers. */
  requireSpace(neededBytes: number, what: string): Promise<void>;
}

const LOCK = 'lock';
/** An attempt that was given up learns of it with its next heartbeat, and its programs are ended with it. */
const LEAVES_WITHIN_MS = 120_000;

/**
 * Runs `work` with an empty spool and empties it afterwards, however it ends. What a killed process has left is removed first: its lock went
 * with it. Waits for an attempt that is still leaving; throws `LOCKED` when it stays.
 */
export async function withSpool<T>(place: string, signal: AbortSignal, work: (spool: Spool) => Promise<T>): Promise<T> {
  await mkdir(place, { recursive: true, mode: 0o700 });
  const lock = await lockOf(path.join(place, LOCK), signal);
  try {
    await empty(place);
    // A name of its own: a program that outlived a killed attempt for a while finds its directory gone, and never writes into ours.
    const directory = await mkdtemp(path.join(place, 'dump-'));
    return await work({ directory, requireSpace: (bytes, what) => requireSpace(directory, bytes, what) });
  } finally {
    await empty(place);
    await lock.release();
  }
}

async function lockOf(file: string, signal: AbortSignal): Promise<HeldLock> {
  for (const giveUpAt = performance.now() + LEAVES_WITHIN_MS; ; await sleep(500, undefined, { signal })) {
    try {
      return await holdLock(file, { signal });
    } catch (error) {
      if (!isHoldfastError(error, 'LOCKED') || performance.now() > giveUpAt) throw error;
    }
  }
}

/** By names that were read, and never the lock: another attempt may wait for it. */
async function empty(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    if (name !== LOCK) await rm(path.join(place, name), { recursive: true, force: true });
  }
}

async function requireSpace(directory: string, neededBytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const availableBytes = bavail * bsize;
  if (availableBytes >= neededBytes) return;
  fail(
    'NO_SPACE',
    `${what} needs about ${bytesText(neededBytes)} in '${directory}', ${bytesText(availableBytes)} are free`,
    {
      hint: "make room there, or put 'stateDirectory' of this host on a larger disk",
      details: { neededBytes, availableBytes, directory },
    },
  );
}
