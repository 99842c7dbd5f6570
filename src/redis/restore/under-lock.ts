// One process at a time at a place of restores, by its lock; with the journal of the run, which is written only as long as the lock is ours.

import type { HoldfastError } from '../../errors/index.ts';
import { holdLock } from '../../process/index.ts';
import { RestoreJournal } from './journal.ts';

export interface LockedPlace {
  /** Its directory exists. */
  readonly lock: string;
  readonly journal: string;
  /** Throws when this run may not go on. */
  readonly check?: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Throws `LOCKED` while another process is at it. */
export async function underLock<Step extends string, T>(
  { lock, journal, check, signal }: LockedPlace,
  work: (journal: RestoreJournal<Step>) => Promise<T>,
): Promise<T> {
  const held = await holdLock(lock, { signal });
  const outcome: { lost?: HoldfastError } = {};
  void held.lost.then((error) => {
    outcome.lost = error;
  });
  const checked = async () => {
    if (outcome.lost !== undefined) throw outcome.lost;
    await check?.();
  };
  try {
    return await work(await RestoreJournal.open<Step>(journal, checked));
  } finally {
    await held.release();
  }
}
