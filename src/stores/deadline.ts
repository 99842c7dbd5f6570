// Our own deadlines and retries around a store call: an SDK's own once slept 37 minutes inside one call.

import { setTimeout as sleep } from 'node:timers/promises';
import { fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import { RunningTimer } from '../system/index.ts';
import type { CallOptions } from './store.ts';

export const DEFAULT_DEADLINE_MS = 60_000;
/** A stream slower than this is taken for one that stands still: six of them at once are 1.6 Mbit/s. */
const SLOWEST_BYTES_A_SECOND = 32 * 1024;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A store that keeps refusing for so long is away; a longer deadline is for bytes that take long. */
const RETRY_WINDOW_MS = 20_000;

/** For a call that moves so many bytes over a link that others share. A dead connection is noticed sooner, by a socket on which nothing moves. */
export function transferDeadlineMs(sizeBytes: number): number {
  return DEFAULT_DEADLINE_MS + Math.ceil(sizeBytes / SLOWEST_BYTES_A_SECOND) * 1000;
}

/** Waits for something of our own making (a bandwidth limit) while no time passes for the deadline. */
export type Hold = <T>(wait: () => Promise<T>) => Promise<T>;

/**
 * Runs `call` with a signal that fires at the deadline or when the caller's does; a late answer is `STORE_UNAVAILABLE`. Time in which this process
 * itself stood still is not counted: the answer may have come meanwhile.
 */
export async function withDeadline<T>(
  what: string,
  options: CallOptions,
  call: (signal: AbortSignal, hold: Hold) => Promise<T>,
): Promise<T> {
  options.signal?.throwIfAborted();
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const timer = new RunningTimer(deadlineMs);
  const signal = options.signal ? AbortSignal.any([options.signal, timer.signal]) : timer.signal;
  let stop: () => void = () => {};
  // A call that ignores its signal (a hung mount) must not hold us either.
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new Error('stopped'));
    signal.addEventListener('abort', stop, { once: true });
  });
  const running = call(signal, (wait) => timer.hold(wait));
  running.catch(() => {});
  try {
    return await Promise.race([running, stopped]);
  } catch (error) {
    if (options.signal?.aborted) throw cancelled(what, error);
    if (timer.signal.aborted && !isHoldfastError(error, 'OBJECT_EXISTS', 'OBJECT_MISSING', 'OBJECT_DAMAGED')) {
      fail('STORE_UNAVAILABLE', `${what} got no answer within ${deadlineMs / 1000} s`, { cause: error });
    }
    throw error;
  } finally {
    timer.stop();
    signal.removeEventListener('abort', stop);
  }
}

/** Repeats `call` while it fails with `STORE_UNAVAILABLE`, with growing jittered pauses, until the signal of the deadline fires. */
export async function withRetries<T>(signal: AbortSignal, call: (attempt: number) => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await call(attempt);
    } catch (error) {
      const isLate = signal.aborted || performance.now() - startedMs > RETRY_WINDOW_MS;
      if (!isHoldfastError(error, 'STORE_UNAVAILABLE') || isLate) throw error;
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
      try {
        await sleep(pauseMs, undefined, { signal });
      } catch {
        throw error; // what failed says more than that time was up
      }
    }
  }
}

function cancelled(what: string, cause: unknown): HoldfastError {
  return new HoldfastError('CANCELLED', `${what} was cancelled`, { cause });
}
