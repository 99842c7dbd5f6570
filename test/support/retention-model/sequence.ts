// Plays one random sequence from its seed, and says how far it came.

import type { Store } from '../../../src/stores/store.ts';
import { FaultPlan, FaultyStore } from '../faulty-store.ts';
import { retentionVault } from '../retention.ts';
import { seeded } from '../seeded.ts';
import { rules } from './model.ts';
import { COPIES, type CopyName, directoryPlace, memoryPlace, type Place } from './places.ts';
import { Run } from './run.ts';
import { Steps } from './steps.ts';

export const STEPS = 12;
/** Enough for what an image brought back, what another backup left, and two graces of each tombstone. */
const SETTLING_ROUNDS = 5;
/** One of so many lies on real directories, the others in memory. */
export const DIRECTORIES_EVERY = 50;

export interface SequenceOptions {
  readonly seed: number;
  readonly sequence: number;
  readonly spoil?: (store: Store) => Store;
}

/** Throws with the seed and every step that was taken. */
export async function playSequence({ seed, sequence, spoil = (store) => store }: SequenceOptions): Promise<void> {
  const plan = new FaultPlan();
  const places = new Map<CopyName, Place>();
  const isOnDisk = sequence % DIRECTORIES_EVERY === 0;
  const place = async (name: string, path: string) => {
    const made = isOnDisk ? directoryPlace(name as CopyName, path) : memoryPlace(name as CopyName);
    places.set(name as CopyName, made);
    return made.store;
  };
  const wrap = (store: Store) => new FaultyStore(spoil(store), plan);
  await using test = await retentionVault({ copies: COPIES, rules, wrap, store: place });
  const random = seeded(seed + sequence);
  const run = new Run({ test, places, plan, random });
  const steps = new Steps(run);
  try {
    for (let step = 0; step < STEPS; step++) {
      while ((await (run.pick(steps.all) as () => Promise<unknown>).call(steps)) === false);
      await run.check();
    }
    await steps.calm();
    await run.settle(SETTLING_ROUNDS, () => steps.apply());
  } catch (cause) {
    const how = `HOLDFAST_SEED=${seed} HOLDFAST_SEQUENCE=${sequence}`;
    const words = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    throw new Error(`${how} after:\n${run.log.join('\n')}\n${words}`, { cause });
  }
}
