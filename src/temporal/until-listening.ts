// Whether a worker that has begun is known to the server on all its queues: before that it does not say that it is ready.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Asked, type ListenedQueue, pollersOf } from './workers-present.ts';

const FIRST_PAUSE_MS = 100;
/** A server that is away, or refuses the question, is not asked ten times a second for ever. */
const LONGEST_PAUSE_MS = 5_000;
/** A server under load needs a while; longer than this something is wrong. */
const SAID_AFTER_MS = 30_000;

export interface Missing {
  readonly queue: string;
  /** What the server, or the way to it, said last; absent where it answers, and does not know this worker there. */
  readonly error?: unknown;
}

export interface ListeningOptions {
  /** Of this worker alone: one that has ended is remembered for minutes. */
  readonly identity: string;
  readonly queues: readonly ListenedQueue[];
  readonly signal: AbortSignal;
  /** Told once in a while, when it takes long. */
  readonly onMissing?: (missing: Missing) => void;
  /** Default half a minute. */
  readonly saidAfterMs?: number;
}

/**
 * Resolves when the server has been asked for work by `identity` on every queue: a worker that has only just begun to ask is not known to it yet, and
 * whoever starts something then is told that nobody listens. Also resolves at once when `signal` is aborted. A server that does not answer is asked again.
 */
export async function untilListening(asked: Asked, options: ListeningOptions): Promise<void> {
  const { queues, signal } = options;
  const stopped = Promise.withResolvers<void>();
  const stop = () => stopped.resolve();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    // A question that hangs ends when the connection does: nobody waits for it.
    for (const each of queues) await Promise.race([untilKnownOn(asked, each, options), stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function untilKnownOn(
  asked: Asked,
  each: ListenedQueue,
  { identity, signal, onMissing, saidAfterMs = SAID_AFTER_MS }: ListeningOptions,
): Promise<void> {
  let saidAt = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const missing: { error?: unknown } = {};
    try {
      if ((await pollersOf(asked, each)).some((poller) => poller.identity === identity)) return;
    } catch (error) {
      missing.error = error;
    }
    if (signal.aborted) return;
    if (performance.now() - saidAt >= saidAfterMs) {
      onMissing?.({ queue: each.queue, ...missing });
      saidAt = performance.now();
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
