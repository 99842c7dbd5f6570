// Coming after whoever is at the same place: between two attempts the run sleeps, and takes no worker's time from anybody.

import { sleep } from '@temporalio/workflow';
import { errorData } from './failure.ts';

/** What holds a place for a moment is soon over. */
const FIRST_PAUSE_MS = 5_000;
/** Nobody waits much longer than he must, and the history of a day stays at a few thousand events. */
const LONGEST_PAUSE_MS = 5 * 60_000;
/** As long as one attempt may last: whoever holds the place for longer is given up by then. */
const WITHIN_MS = 24 * 3_600_000;

/** `attempt`, again as long as it throws `LOCKED`; after a day that is what it throws. `onWaiting` is told so, in words, and `undefined` when it is over. */
export async function afterOthers<T>(
  attempt: () => Promise<T>,
  onWaiting: (words: string | undefined) => void,
): Promise<T> {
  const giveUpAtMs = Date.now() + WITHIN_MS;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (errorData(error).code !== 'LOCKED' || Date.now() >= giveUpAtMs) throw error;
    }
    onWaiting('another run is at it; this one comes after it');
    await sleep(pauseMs);
    onWaiting(undefined);
  }
}
