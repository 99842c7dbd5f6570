// Waits for a condition instead of for a time: tests run on slow and busy machines too.

import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Generous on purpose: it is only reached when the condition never comes. Default 60,000. */
  readonly limitMs?: number;
  readonly pauseMs?: number;
}

/** Resolves with the first value that is neither `undefined` nor `false`. Throws with `what` when there is none in time. */
export async function waitFor<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { limitMs = 60_000, pauseMs = 20 }: WaitOptions = {},
): Promise<T> {
  const giveUpAt = performance.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > giveUpAt) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await sleep(pauseMs);
  }
}
