// A clock that was set back: what others changed after a noted time may carry an earlier one, so the time that tells theirs from a run's own is moved back as far.

import { describeSeconds } from '../../domain/duration.ts';
import { type Reading, standsStill } from './file-system-clock.ts';

/** What a daemon steps is more; less is what reading two clocks is out by. */
const NOISE_NS = 100_000_000n;
/** Of the time between both: clocks are slowed down to be put right, which sets nothing back. */
const SLOWED_PART = 1_000n;

/** Of times that a run has noted, what may be relied on. 0: nothing; whatever it did not note otherwise may be others' doing. */
export interface Bounds {
  readonly beganNs: bigint;
  readonly fromNs: bigint;
  readonly doneNs: bigint;
}

export const NOTHING_KNOWN: Bounds = { beganNs: 0n, fromNs: 0n, doneNs: 0n };

export interface Noted {
  readonly began: Reading;
  readonly from: Reading;
  readonly done: Reading;
}

/** `since`: what the clock showed later on. */
export function boundsOf({ began, from, done }: Noted, since: readonly Reading[]): Bounds {
  return {
    beganNs: boundOf(began, [from, done, ...since]),
    fromNs: boundOf(from, [done, ...since]),
    doneNs: boundOf(done, since),
  };
}

function boundOf(noted: Reading, later: readonly Reading[]): bigint {
  if (standsStill(noted) || noted.ns === 0n) return 0n;
  let lostNs = 0n;
  for (const each of later) {
    const lost = lostBetween(noted, each);
    if (lost === undefined) return 0n;
    if (lost > lostNs) lostNs = lost;
  }
  // Where it was set back, in doubt it was by a little more.
  return lostNs === 0n ? noted.ns : noted.ns - lostNs - NOISE_NS;
}

/** Whether the clock was not set back between both. */
export function isAlike(one: Bounds, other: Bounds): boolean {
  const isNear = (a: bigint, b: bigint) => a - b <= NOISE_NS && b - a <= NOISE_NS;
  return isNear(one.beganNs, other.beganNs) && isNear(one.fromNs, other.fromNs) && isNear(one.doneNs, other.doneNs);
}

/** By how much the clock was set back from one reading to the other; undefined where that is not known. */
function lostBetween(one: Reading, other: Reading): bigint | undefined {
  // Nobody has noted it.
  if (other.ns === 0n && other.at === undefined) return 0n;
  if (standsStill(other)) return undefined;
  const passed = other.ns - one.ns;
  const upNs = upBetween(one, other);
  // Of another life of the machine nothing tells how long ago it was.
  if (upNs === undefined) return passed < 0n ? undefined : 0n;
  const lost = upNs - passed;
  return lost > NOISE_NS + upNs / SLOWED_PART ? lost : 0n;
}

function upBetween(one: Reading, other: Reading): bigint | undefined {
  const [oneBoot, oneMs] = one.at?.split('/') ?? [];
  const [otherBoot, otherMs] = other.at?.split('/') ?? [];
  if (oneBoot === undefined || oneBoot !== otherBoot) return undefined;
  return BigInt(Number(otherMs) - Number(oneMs)) * 1_000_000n;
}

/** In words, when the clock was set back; undefined when all that was noted holds. */
export function setBackWords(root: string, { began, from, done }: Noted, bounds: Bounds): string | undefined {
  const lost = [
    [began.ns, bounds.beganNs],
    [from.ns, bounds.fromNs],
    [done.ns, bounds.doneNs],
  ] as const;
  const moved = lost.filter(([noted, bound]) => noted !== bound);
  if (moved.length === 0) return undefined;
  const clock = `the clock of the file system of '${root}'`;
  const known = moved.filter(([, bound]) => bound !== 0n).map(([noted, bound]) => noted - bound);
  const [first = 0n] = known.sort((a, b) => (a > b ? -1 : 1));
  if (known.length < moved.length) {
    return `${clock} was set back, does not move, or cannot be read: whose doing a difference is cannot be known, so only what was not brought in undoes the restore`;
  }
  const seconds = Number((first - NOISE_NS) / 1_000_000n) / 1000;
  const words = describeSeconds(seconds < 10 ? seconds : Math.round(seconds));
  return `${clock} was set back by ${words} since the restore began: what was changed in about that time may be others' doing, and does not undo the restore`;
}
