// Whether a copy was verified: what was seen there by its own bytes, how closely, and whether that is recent enough to count; unknown is never good.

import { type Moment, shortMoment, unixMicros } from './moment.ts';
import { type ProofLevel, proofLevels, type Verdict } from './states.ts';

/** Every byte was read; what was only listed, or attested by the store itself, is not verified. */
const CLOSE_ENOUGH: ProofLevel = 'hashed';
/** What `verify.within` is by default. */
export const VERIFIED_WITHIN_DAYS = 30;
/** A look that is said to be in the future by more than clocks differ proves nothing. */
const CLOCKS_MICROS = 300n * 1_000_000n;
const DAY_MICROS = 86_400n * 1_000_000n;

/** Worst first. */
export const verifiedStates = ['damaged', 'missing', 'never', 'overdue', 'not checked', 'good'] as const;

export interface CopyVerified {
  /**
   * `good`: every snapshot there and all else was read, lately enough, and found good. `overdue`: so it was, too long ago. `not checked`: not all of
   * it was read. `never`: nothing was. `damaged`, `missing`: found so, and not found good by a look as close since.
   */
  readonly state: (typeof verifiedStates)[number];
  /** Of `good` and `overdue` the least of what it rests on, of `damaged` and `missing` that look's. */
  readonly level?: ProofLevel;
  /** Of `good` and `overdue` when the oldest look began that it rests on, of `damaged` and `missing` when that one did. */
  readonly at?: Moment;
  /** Snapshots there that nobody has read. */
  readonly unread: number;
  /** How long a look counts. */
  readonly withinDays: number;
}

/** One look at one snapshot on one copy. */
export interface SnapshotLook {
  readonly snapshot: string;
  readonly copy: string;
  readonly level: ProofLevel;
  readonly state: 'good' | 'damaged' | 'missing';
  readonly at: Moment;
}

/** One look at everything that a component has on a copy, its log too. */
export interface WholeLook {
  readonly copy: string;
  readonly level: ProofLevel;
  readonly state: Verdict;
  /** When it began. */
  readonly at: Moment;
  /** Of a good one: when the oldest look began that it rests on. */
  readonly since?: Moment;
}

export interface VerifiedQuestion {
  readonly copy: string;
  /** What some copy has of the component. */
  readonly snapshots: readonly { readonly id: string; readonly copies: Readonly<Record<string, string>> }[];
  readonly looks: { readonly snapshots: readonly SnapshotLook[]; readonly whole: readonly WholeLook[] };
  readonly withinDays: number;
  readonly now: Moment;
}

interface Look {
  readonly level: ProofLevel;
  readonly state: Verdict;
  readonly at: Moment;
  readonly since?: Moment;
}

const rank = (level: ProofLevel) => proofLevels.indexOf(level);
const isBadState = (state: string): state is 'damaged' | 'missing' => state === 'damaged' || state === 'missing';
const isClose = ({ level }: Look): boolean => rank(level) >= rank(CLOSE_ENOUGH);

export function judgeVerified({ copy, snapshots, looks, withinDays, now }: VerifiedQuestion): CopyVerified {
  const nowMicros = unixMicros(now);
  const isOurs = (look: { copy: string; at: Moment }) =>
    look.copy === copy && unixMicros(look.at) <= nowMicros + CLOCKS_MICROS;
  const whole = newestFirst(looks.whole.filter(isOurs));
  const own = newestFirst(looks.snapshots.filter(isOurs));
  const ofSnapshot = (id: string) => own.filter(({ snapshot }) => snapshot === id);
  const here = snapshots.filter(({ copies }) => copies[copy] === 'present');
  const good = here.map(({ id }) => standing(ofSnapshot(id)));
  const unread = good.filter((look) => look === undefined).length;
  const about = { unread, withinDays };

  const bad = [whole, ...snapshots.map(({ id }) => ofSnapshot(id))].flatMap((group) => standingBad(group) ?? []);
  for (const state of ['damaged', 'missing'] as const) {
    const found = newestFirst(bad).find((look) => look.state === state);
    if (found !== undefined) return { state, level: found.level, at: found.at, ...about };
  }
  if (whole.length + own.length === 0) return { state: 'never', ...about };

  const rests = [standing(whole), ...good].filter((look) => look !== undefined);
  const at = rests.map((look) => look.since ?? look.at).toSorted()[0];
  const level = rests.map((look) => look.level).toSorted((a, b) => rank(a) - rank(b))[0];
  const seen = { ...(level === undefined ? {} : { level }), ...(at === undefined ? {} : { at }), ...about };
  if (at !== undefined && unixMicros(at) < nowMicros - BigInt(withinDays) * DAY_MICROS)
    return { state: 'overdue', ...seen };
  if (unread > 0 || standing(whole) === undefined) return { state: 'not checked', ...about };
  return { state: 'good', ...seen };
}

/** The worst of several components, with all that is unread. */
export function worstVerified(all: readonly CopyVerified[]): CopyVerified | undefined {
  const order = ({ state }: CopyVerified) => verifiedStates.indexOf(state);
  const [worst] = all.toSorted((a, b) => order(a) - order(b) || ((a.at ?? '') < (b.at ?? '') ? -1 : 1));
  return worst && { ...worst, unread: all.reduce((sum, { unread }) => sum + unread, 0) };
}

function newestFirst<L extends Look>(looks: readonly L[]): L[] {
  return looks.toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
}

/** The newest good one that is close enough; `looks`: newest first, without a bad one that stands. */
function standing(looks: readonly Look[]): Look | undefined {
  return looks.find((look) => look.state === 'good' && isClose(look));
}

/** The newest bad one that no later look as close contradicts: listing again what was read and found damaged clears nothing. `looks`: of one thing, newest first. */
export function standingBad<L extends Look>(looks: readonly L[]): L | undefined {
  return looks.find((bad, index) => {
    const isCleared = looks
      .slice(0, index)
      .some(({ state, level }) => state === 'good' && rank(level) >= rank(bad.level));
    return isBadState(bad.state) && !isCleared;
  });
}

/** Why it does not count as verified; nothing for a good one. */
export function verifiedWords({ state, at, unread, withinDays }: CopyVerified): string {
  const when = at === undefined ? '' : ` (${shortMoment(at)})`;
  if (state === 'damaged') return `damaged when it was last read${when}`;
  if (state === 'missing') return `something missing when it was last looked at${when}`;
  if (state === 'never') return 'never verified';
  if (state === 'overdue') return `verified longer ago than ${withinDays} days${when}`;
  if (state === 'good') return '';
  return unread === 0 ? 'not all of it was read' : `${unread} ${unread === 1 ? 'snapshot' : 'snapshots'} not read yet`;
}

export const isBad = ({ state }: CopyVerified): boolean => isBadState(state);

/** Only a look as close as the one that found it says that it is mended. */
export const repairHint = (copy: string, level: ProofLevel = CLOSE_ENOUGH) =>
  `\`holdfast copies repair ${copy}\` takes good bytes of another copy, then \`holdfast test integrity --copy ${copy} --level ${level}\` looks again`;

export const HINT_TO_VERIFY =
  "`holdfast test integrity` reads every copy; 'verify' in the configuration makes it happen by itself";
