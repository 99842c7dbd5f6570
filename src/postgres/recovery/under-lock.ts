// The lock beside a data directory: one process at a time, and a guard that refuses every step once the lock is lost.

import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { type HeldLock, holdLock } from '../../process/index.ts';
import type { Guard } from './journal.ts';
import type { RestorePaths } from './paths.ts';

export interface LockWait {
  /** How long another holder is waited for; default 30 s: one that was killed a moment ago may still be on its way out. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
  /** Told once, when there is another holder. */
  readonly onWaiting?: () => void;
}

const defaultWaitMs = 30_000;

/**
 * Runs `work` as the only one beside this data directory; inside of it the same lock is not taken again. Its guard refuses every
 * further step once the lock is lost, and what was cut short by that ends with the reason. Throws `LOCKED` when another process
 * stays in the way.
 */
export async function underLock<T>(
  paths: Pick<RestorePaths, 'root' | 'lock'>,
  guard: Guard,
  work: (guard: Guard) => Promise<T>,
  wait: LockWait = {},
): Promise<T> {
  if (guard.locked === paths.lock) return work(guard);
  await mkdir(paths.root, { recursive: true, mode: 0o711 });
  const lock = await takeLock(paths.lock, wait);
  const unlocked = new AbortController();
  void lock.lost.then((error) => unlocked.abort(error));
  const lost = AbortSignal.any([unlocked.signal, ...(guard.lost === undefined ? [] : [guard.lost])]);
  const check = async () => {
    lost.throwIfAborted();
    await guard.check?.();
  };
  try {
    return await work({ ...guard, check, lost, locked: paths.lock });
  } catch (error) {
    throw lost.aborted ? lost.reason : error;
  } finally {
    await lock.release();
  }
}

async function takeLock(file: string, { waitMs = defaultWaitMs, signal, onWaiting }: LockWait): Promise<HeldLock> {
  let told = false;
  for (const giveUpAt = performance.now() + waitMs; ; await sleep(200)) {
    try {
      return await holdLock(file);
    } catch (error) {
      if (!isHoldfastError(error, 'LOCKED') || performance.now() > giveUpAt) throw error;
    }
    if (!told) onWaiting?.();
    told = true;
    if (signal?.aborted) fail('CANCELLED', `waiting for the lock '${file}' was cancelled`);
  }
}
