// Which snapshots a policy keeps, why, and since when the others are not needed: by age, count and calendar, with what is kept whatever the policy says.

import { calendarOf, type Period } from './calendar.ts';
import { writeDuration } from './duration.ts';
import { type Moment, momentFromUnixMicros, unixMicros } from './moment.ts';
import { type ProofLevel, proofLevels } from './states.ts';

/** Rules of one retention class; a snapshot that any of them keeps is kept. */
export interface RetentionRules {
  /** Kept for so long after the moment that it holds. */
  readonly ageSeconds?: number;
  /** The newest so many. */
  readonly last?: number;
  /** The newest of each of the last so many days, weeks, months or years that have one, in the estate's time zone. */
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
}

/** A snapshot as the rules see it. `to`: the moment that it holds. */
export interface JudgedSnapshot {
  readonly id: string;
  readonly kind: string;
  readonly class: string;
  readonly to: Moment;
  readonly state: 'clean' | 'damaged';
  /** Best level that was ever shown of it. */
  readonly proof?: ProofLevel;
}

export interface SnapshotHold {
  readonly id: string;
  /** Absent: all snapshots. */
  readonly snapshot?: string;
  readonly reason: string;
  readonly until?: Moment;
}

/** What keeps a snapshot whatever the rules of its class say. */
type StandingRule = 'newest' | 'newest clean' | 'newest proven' | 'hold' | 'log window' | 'no policy';

export interface KeepReason {
  readonly rule: StandingRule | 'age' | 'last' | Period;
  /** For people: `daily 3 of 14: 2026-11-23`. */
  readonly words: string;
  /** Until when this reason holds for sure, where it ends by time. */
  readonly until?: Moment;
}

export interface Judgement<S extends JudgedSnapshot> {
  readonly snapshot: S;
  /** Every reason; empty when it is not needed. */
  readonly reasons: readonly KeepReason[];
  /** Since when no reason keeps it; only when there is none. */
  readonly since?: Moment;
}

/** What the continuous window of the log says of a snapshot: why it needs it, or since when it does not (neither: it never did). */
export interface WindowVerdict {
  readonly words?: string;
  readonly lostAt?: Moment;
}

export interface RetentionQuestion {
  /** By class. A class that has no rules keeps everything: silence never means that something may go. */
  readonly rules: Readonly<Record<string, RetentionRules>>;
  readonly holds: readonly SnapshotHold[];
  /** By snapshot; without it no window counts on any. */
  readonly logWindow?: ReadonlyMap<string, WindowVerdict>;
  readonly timezone: string;
  readonly now: Moment;
}

/** What a rule says of one snapshot: kept, or since when not any more (absent: it never kept it). */
interface Verdict {
  readonly reason?: KeepReason;
  readonly lostAt?: Moment;
}
type Verdicts<S> = ReadonlyMap<S, Verdict>;

const periods: readonly Period[] = ['daily', 'weekly', 'monthly', 'yearly'];

/** Judges the snapshots of one component, in any order; the answer is newest first. */
export function judgeSnapshots<S extends JudgedSnapshot>(
  snapshots: readonly S[],
  question: RetentionQuestion,
): readonly Judgement<S>[] {
  const sorted = newestFirst(snapshots);
  const verdicts = [newestProven(sorted), held(sorted, question), ofLogWindow(sorted, question)];
  for (const group of groupBy(sorted, ({ kind, class: name }) => `${kind} ${name}`)) {
    const rules = question.rules[group[0]?.class ?? ''];
    verdicts.push(newest(group), newestClean(group));
    if (rules === undefined) verdicts.push(withoutPolicy(group));
    else verdicts.push(...byRules(group, rules, question));
  }
  return sorted.map((snapshot) => {
    const own = verdicts.flatMap((each) => each.get(snapshot) ?? []);
    const reasons = own.flatMap(({ reason }) => reason ?? []);
    const since = latest(own.flatMap(({ lostAt }) => lostAt ?? []));
    return { snapshot, reasons, ...(reasons.length === 0 && since !== undefined ? { since } : {}) };
  });
}

export function addSeconds(moment: Moment, seconds: number): Moment {
  return momentFromUnixMicros(unixMicros(moment) + BigInt(Math.round(seconds)) * 1_000_000n);
}

function kept(rule: KeepReason['rule'], words: string, until?: Moment): Verdict {
  return { reason: { rule, words, ...(until === undefined ? {} : { until }) } };
}

function forEach<S>(group: readonly S[], verdictOf: (snapshot: S, index: number) => Verdict): Verdicts<S> {
  return new Map(group.map((snapshot, index) => [snapshot, verdictOf(snapshot, index)]));
}

function latest(moments: readonly Moment[]): Moment | undefined {
  return [...moments].sort().at(-1);
}

function newestFirst<S extends JudgedSnapshot>(snapshots: readonly S[]): S[] {
  return [...snapshots].sort((a, b) => (a.to < b.to ? 1 : a.to > b.to ? -1 : a.id < b.id ? 1 : -1));
}

function groupBy<S>(items: readonly S[], keyOf: (item: S) => string): S[][] {
  const groups = new Map<string, S[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

// ── Kept whatever the policy says ────────────────────────────────────────────────────────────────────────────────────

function newest<S extends JudgedSnapshot>(group: readonly S[]): Verdicts<S> {
  return forEach(group, ({ class: name }, index) => {
    const next = group[index - 1];
    return next === undefined ? kept('newest', `the newest ${name}`) : { lostAt: next.to };
  });
}

function newestClean<S extends JudgedSnapshot>(group: readonly S[]): Verdicts<S> {
  const clean = group.filter(({ state }) => state === 'clean');
  return forEach(clean, (snapshot, index) => {
    const next = clean[index - 1];
    if (next !== undefined) return { lostAt: next.to };
    return snapshot === group[0] ? {} : kept('newest clean', 'the newest clean one, newer ones are damaged');
  });
}

/** Of each kind the newest that was restored; where none ever was, the newest of those of which most is known. */
function newestProven<S extends JudgedSnapshot>(sorted: readonly S[]): Verdicts<S> {
  const verdicts = new Map<S, Verdict>();
  for (const group of groupBy(sorted, ({ kind }) => kind)) {
    const rank = ({ proof }: S) => (proof === undefined ? -1 : proofLevels.indexOf(proof));
    const enough = Math.min(proofLevels.indexOf('restored'), Math.max(...group.map(rank)));
    const found = enough < 0 ? undefined : group.find((snapshot) => rank(snapshot) >= enough);
    if (found === undefined) continue;
    verdicts.set(found, kept('newest proven', `the newest proven one (${found.proof})`));
  }
  return verdicts;
}

function held<S extends JudgedSnapshot>(sorted: readonly S[], { holds, now }: RetentionQuestion): Verdicts<S> {
  return forEach(sorted, ({ id }) => {
    const own = holds.filter(({ snapshot }) => snapshot === undefined || snapshot === id);
    const active = own.find(({ until }) => until === undefined || until > now);
    if (active !== undefined) return kept('hold', `held by ${active.id}: ${active.reason}`, active.until);
    const ended = latest(own.flatMap(({ until }) => until ?? []));
    return ended === undefined ? {} : { lostAt: ended };
  });
}

function ofLogWindow<S extends JudgedSnapshot>(sorted: readonly S[], { logWindow }: RetentionQuestion): Verdicts<S> {
  return forEach(sorted, ({ id }) => {
    const { words, lostAt } = logWindow?.get(id) ?? {};
    if (words !== undefined) return kept('log window', words);
    return lostAt === undefined ? {} : { lostAt };
  });
}

function withoutPolicy<S extends JudgedSnapshot>(group: readonly S[]): Verdicts<S> {
  return forEach(group, ({ class: name }) => kept('no policy', `class '${name}' has no policy`));
}

// ── Rules of a class ─────────────────────────────────────────────────────────────────────────────────────────────────

function byRules<S extends JudgedSnapshot>(
  group: readonly S[],
  rules: RetentionRules,
  { timezone, now }: RetentionQuestion,
): Verdicts<S>[] {
  const verdicts: Verdicts<S>[] = [];
  if (rules.ageSeconds !== undefined) verdicts.push(byAge(group, rules.ageSeconds, now));
  if (rules.last !== undefined) verdicts.push(byCount(group, rules.last));
  for (const period of periods) {
    const count = rules[period];
    if (count !== undefined) verdicts.push(byCalendar(group, period, count, timezone));
  }
  return verdicts;
}

function byAge<S extends JudgedSnapshot>(group: readonly S[], ageSeconds: number, now: Moment): Verdicts<S> {
  return forEach(group, ({ to }) => {
    const until = addSeconds(to, ageSeconds);
    return until <= now ? { lostAt: until } : kept('age', `younger than ${writeDuration(ageSeconds)}`, until);
  });
}

/** Only clean snapshots take a place: ten damaged ones must not push out the last good one. A damaged one between them is kept. */
function byCount<S extends JudgedSnapshot>(group: readonly S[], count: number): Verdicts<S> {
  const newer: S[] = [];
  return forEach(group, (snapshot) => {
    const displacer = newer.at(-count);
    const place = newer.length + 1;
    if (snapshot.state === 'clean') newer.push(snapshot);
    if (place <= count) return kept('last', `last ${place} of ${count}`);
    return displacer === undefined ? {} : { lostAt: displacer.to };
  });
}

/** As for counts, only periods with a clean snapshot take a place; in a period the newest clean one stands for it, else the newest. */
function byCalendar<S extends JudgedSnapshot>(
  group: readonly S[],
  period: Period,
  count: number,
  timezone: string,
): Verdicts<S> {
  const periodOf = calendarOf(timezone);
  const verdicts = new Map<S, Verdict>();
  const taken: { readonly firstCleanTo: Moment }[] = [];
  for (const members of groupBy(group, ({ to }) => periodOf(period, to))) {
    const clean = members.filter(({ state }) => state === 'clean');
    const standing = clean[0] ?? members[0];
    const displacedAt = taken.length < count ? undefined : taken.at(-count)?.firstCleanTo;
    for (const member of members) {
      const lost = [displacerWithin(members, member)?.to, displacedAt].flatMap((at) => at ?? []).sort()[0];
      const name = periodOf(period, member.to);
      if (lost !== undefined) verdicts.set(member, { lostAt: lost });
      else if (member === standing)
        verdicts.set(member, kept(period, `${period} ${taken.length + 1} of ${count}: ${name}`));
    }
    const oldestClean = clean.at(-1);
    if (oldestClean !== undefined) taken.push({ firstCleanTo: oldestClean.to });
  }
  return verdicts;
}

/** The oldest newer snapshot of the period that stands for it rather than this one; a clean one also displaces newer damaged ones. */
function displacerWithin<S extends JudgedSnapshot>(members: readonly S[], member: S): S | undefined {
  const at = members.indexOf(member);
  const newer = members.slice(0, at).reverse();
  if (member.state === 'clean') return newer.find(({ state }) => state === 'clean');
  if (members.slice(at + 1).some(({ state }) => state === 'clean')) return member;
  return newer[0];
}
