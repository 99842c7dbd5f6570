// Where a recovery to a moment stops: PostgreSQL's own rule, stated over the transaction ends in the order of the log.

import type { Moment } from './moment.ts';

/** Whether a transaction that ended at `time` is left out when recovering to `target` (`recovery_target_time`, `recovery_target_inclusive`). */
export function isLeftOut(time: Moment, target: Moment, exclusive: boolean): boolean {
  return exclusive ? time >= target : time > target;
}

/**
 * Index of the first part of the log whose transactions can hold the first one left out, by the latest time up to each
 * part's end (which never decreases, so it is searched in halves); the length when there is none.
 */
export function firstPartLeftOut(
  maxTimes: readonly (Moment | undefined)[],
  target: Moment,
  exclusive: boolean,
): number {
  let [low, high] = [0, maxTimes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const time = maxTimes[middle];
    if (time !== undefined && isLeftOut(time, target, exclusive)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Makes the latest times never decrease, across parts that know none and timelines that begin anew. */
export function runningMaximum(times: readonly (Moment | undefined)[]): (Moment | undefined)[] {
  let latest: Moment | undefined;
  return times.map((time) => {
    if (time !== undefined && (latest === undefined || time > latest)) latest = time;
    return latest;
  });
}
