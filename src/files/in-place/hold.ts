// What a step that changes a root must hold: the lock in the root's own directory, and whatever its caller holds beside it.

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { type HeldLock, holdLock } from '../../process/index.ts';
import type { Home } from './place.ts';

/** What the caller holds (a lease); all of it optional for a person who has nothing but the lock. */
export interface PlaceGuard {
  /** Fencing token, written with each line of the journal; a smaller one than the journal's highest is refused. Default: that one. */
  readonly token?: number;
  /** Asked right before steps that touch the tree or what is kept of it: throws, mostly `FENCED`, when this run may not go on. */
  readonly check?: () => Promise<void>;
  /** How often at most `check` is asked, which may ask a store; default once a second. Lock and `lost` are asked at every step. */
  readonly checkEveryMs?: number;
  /** Aborted, with the error to act on, once that is lost: long work between two checks ends then. */
  readonly lost?: AbortSignal;
  /** How long another holder of the lock is waited for; default 30 s: one that was killed a moment ago may still be on its way out. */
  readonly waitMs?: number;
}

/** Inside of the lock. */
export interface Held {
  readonly check: () => Promise<void>;
  readonly lost: AbortSignal;
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);
/** No rights, marked as immutable, mounted for reading, a mount point itself. */
const UNFIT = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EXDEV']);
const WAIT_MS = 30_000;
/** A million renames must not be a million questions to a store; whoever is fenced still holds the lock, so that nobody else is at the root meanwhile. */
const CHECK_EVERY_MS = 1_000;

/** Runs `work` as the only one in this root. Throws `LOCKED` when another process stays in the way, `FENCED` when the lock is lost meanwhile. */
export async function whileHeld<T>(
  home: Home,
  { check: also, checkEveryMs = CHECK_EVERY_MS, lost: theirs, waitMs = WAIT_MS }: PlaceGuard,
  work: (held: Held) => Promise<T>,
): Promise<T> {
  const lock = await takeLock(home, waitMs);
  const unlocked = new AbortController();
  void lock.lost.then((error) => unlocked.abort(error));
  const lost = AbortSignal.any([unlocked.signal, ...(theirs === undefined ? [] : [theirs])]);
  let askedAt = -Infinity;
  const check = async () => {
    lost.throwIfAborted();
    if (!also || performance.now() - askedAt < checkEveryMs) return;
    await also();
    askedAt = performance.now();
  };
  try {
    return await work({ check, lost });
  } catch (error) {
    throw lost.aborted ? lost.reason : told(error, home.root);
  } finally {
    await lock.release();
  }
}

/** The child that holds it reaches the directory through this process's handle. */
async function takeLock({ handle, shown }: Home, waitMs: number): Promise<HeldLock> {
  const file = `/proc/${process.pid}/fd/${handle}/lock`;
  for (const giveUpAt = performance.now() + waitMs; ; await sleep(100)) {
    try {
      return await holdLock(file);
    } catch (error) {
      if (!isHoldfastError(error, 'LOCKED')) throw error;
      if (performance.now() > giveUpAt) throw named(error, shown);
    }
  }
}

function named(error: HoldfastError, shown: string): HoldfastError {
  const pid = error.details?.pid;
  const file = path.join(shown, 'lock');
  return new HoldfastError('LOCKED', `another process${pid ? ` (${pid})` : ''} holds the lock '${file}'`, {
    details: { path: file, pid },
    cause: error,
  });
}

/** What the system says of a place, as what it means for a restore. */
function told(error: unknown, root: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof HoldfastError || code === undefined) return error;
  const hint = 'what was done stays as it is: mend it and go on, or roll back';
  if (FULL.has(code)) return new HoldfastError('NO_SPACE', `'${root}' is full: ${message}`, { hint, cause: error });
  if (!UNFIT.has(code)) return error;
  return new HoldfastError('TARGET_UNFIT', `'${root}' does not let itself be changed: ${message}`, {
    hint,
    cause: error,
  });
}

export function requireRunning(signal: AbortSignal | undefined): void {
  if (signal?.aborted) fail('CANCELLED', 'the restore was cancelled');
}
