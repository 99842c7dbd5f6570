// Waiting until log is on a copy, through failures and restarts of the receiver: as long as it takes, or until the copy can be left behind.

import { setTimeout as sleep } from 'node:timers/promises';
import type { LogWait } from '../../activities/lib/host-services.ts';
import { lsnFrom } from '../domain/lsn.ts';
import { fail, fromErrorData, HoldfastError } from '../errors/index.ts';
import { comparePositions, type LogPosition } from '../postgres/receiver/index.ts';
import type { ReceiverKeeper } from './receiver-keeper.ts';

/**
 * A copy that did not move for so long is not slow: a store's call ends after a minute, and the receiver is started again within one.
 */
export const defaultStalledAfterMs = 5 * 60_000;
const lookMs = 250;
const sayEveryMs = 5_000;
/** All of a timeline is listed each time. */
const firstAskMs = 5_000;
const longestAskMs = 60_000;

export interface WaitTarget {
  /** Name of a copy, or `policy`. */
  readonly where: string | 'policy';
  readonly position: LogPosition;
  readonly stalledAfterMs: number;
  /** Asks the copies themselves. */
  readonly broughtTo: () => Promise<LogPosition | undefined>;
  /** Between two times that they are asked; default five seconds at first, up to a minute. */
  readonly askEveryMs?: number;
}

/**
 * While another worker of this host takes the log, the copies are asked. Throws why the copy is left behind, once it has not moved for
 * `stalledAfterMs` and `mayLeave` says that it can be done without; `SLOT_BUSY` when it has not, and somebody else reads the slot; and
 * what made the receiver fail, where somebody must decide what happens. Slow progress is progress.
 */
export async function waitForPosition(
  keeper: ReceiverKeeper,
  { where, position, stalledAfterMs, broughtTo, askEveryMs }: WaitTarget,
  { signal, mayLeave, onWaiting }: LogWait,
): Promise<void> {
  let seen: LogPosition | undefined;
  let movedAt = performance.now();
  let saidAt = movedAt;
  const copies = new Asked(broughtTo, askEveryMs);
  for (;;) {
    signal.throwIfAborted();
    const own = keeper.receiver?.position(where);
    if (hasReached(own, position)) return;
    if (keeper.undecided !== undefined) throw keeper.undecided;
    const at = keeper.isKeptOut ? later(own, copies.look()) : own;
    if (hasReached(at, position)) return;
    const now = performance.now();
    // A receiver that was started again does not know yet; that is no move.
    if (at !== undefined && (seen === undefined || comparePositions(at, seen) > 0)) {
      seen = at;
      movedAt = now;
    }
    const reason = reasonOf(keeper, where);
    if (now - movedAt >= stalledAfterMs && mayLeave?.() === true) {
      throw leftBehind(where, seen, position, now - movedAt, reason);
    }
    // Whoever reads the slot brings nothing here: he may be of another estate.
    if (now - movedAt >= stalledAfterMs && reason?.code === 'SLOT_BUSY') {
      const { message, hint } = reason;
      fail('SLOT_BUSY', `${inWords(where, seen, position)} in vain: ${message}`, { hint });
    }
    if (now - saidAt >= sayEveryMs) {
      saidAt = now;
      onWaiting?.(inWords(where, seen, position, reason));
    }
    await sleep(lookMs, undefined, { signal }).catch(() => fail('CANCELLED', 'the wait for the log was cancelled'));
  }
}

function hasReached(at: LogPosition | undefined, position: LogPosition): boolean {
  return at !== undefined && comparePositions(at, position) >= 0;
}

function later(a: LogPosition | undefined, b: LogPosition | undefined): LogPosition | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return comparePositions(a, b) < 0 ? b : a;
}

/** A question that is asked now and then, beside what it must not hold up: a store that hangs answers late. */
class Asked {
  readonly #ask: WaitTarget['broughtTo'];
  #answer: LogPosition | undefined;
  readonly #longestMs: number;
  #pauseMs: number;
  #dueAt = 0;

  constructor(ask: WaitTarget['broughtTo'], everyMs?: number) {
    this.#ask = ask;
    this.#pauseMs = everyMs ?? firstAskMs;
    this.#longestMs = everyMs ?? longestAskMs;
  }

  /** The last answer so far. */
  look(): LogPosition | undefined {
    if (performance.now() >= this.#dueAt) {
      this.#dueAt = Number.POSITIVE_INFINITY;
      void this.#ask()
        .then(
          (answer) => {
            this.#answer = answer ?? this.#answer;
          },
          () => undefined,
        )
        .finally(() => {
          this.#dueAt = performance.now() + this.#pauseMs;
          this.#pauseMs = Math.min(2 * this.#pauseMs, this.#longestMs);
        });
    }
    return this.#answer;
  }
}

/** What stands in the copy's way, as far as it is known. */
function reasonOf(keeper: ReceiverKeeper, where: string): HoldfastError | undefined {
  const state = keeper.receiver?.state();
  const error = state?.copies.find(({ copy }) => copy === where)?.error ?? state?.error ?? keeper.reception.outage;
  return error && fromErrorData(error);
}

function inWords(where: string, at: LogPosition | undefined, to: LogPosition, reason?: HoldfastError): string {
  const whose = where === 'policy' ? 'enough copies' : `copy ${where}`;
  const has = at === undefined ? '' : `, which has it to ${lsnFrom(at.at)}`;
  return `waiting for the log to ${lsnFrom(to.at)} on ${whose}${has}${reason === undefined ? '' : `: ${reason.message}`}`;
}

function leftBehind(
  copy: string,
  at: LogPosition | undefined,
  to: LogPosition,
  stalledMs: number,
  reason: HoldfastError | undefined,
): HoldfastError {
  const has = at === undefined ? 'nobody knows how far it is' : `it has it to ${lsnFrom(at.at)}`;
  const why = reason === undefined ? '' : `: ${reason.message}`;
  const minutes = (stalledMs / 60_000).toFixed(1);
  const message = `'${copy}' did not get nearer to the log at ${lsnFrom(to.at)} for ${minutes} min, ${has}${why}`;
  return new HoldfastError(reason?.code ?? 'STORE_UNAVAILABLE', message, {
    hint: `the others are enough; '${copy}' catches up by itself, or now with \`holdfast copies catch-up ${copy}\``,
  });
}
