// Which log must stay: what each kept snapshot needs to become consistent, and the continuous window on every timeline that lived in it; and the bases that this window counts on.

import { type LogStretch, later, pathParts } from './log-path.ts';
import { type Lsn, lsnFrom, lsnValue } from './lsn.ts';
import type { Moment } from './moment.ts';
import { addSeconds, type WindowVerdict } from './retention.ts';
import { isOnPath, type TimelineHistory, timelineOf } from './timeline.ts';

/** A physical snapshot that stays. */
export interface LogBase {
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  /** The moment that it holds. */
  readonly to: Moment;
  /** Clean and on every copy, so that each copy by itself can recover from it. */
  readonly everywhere: boolean;
  readonly state: 'clean' | 'damaged';
}

type SnapshotLog = Pick<LogBase, 'timeline' | 'startLsn' | 'stopLsn' | 'to'>;

export interface LoggedTimeline {
  readonly timeline: number;
  /** Absent when its history file is not there: then nobody knows what leads to it. */
  readonly history?: TimelineHistory;
  /** The latest moment that its log or marks know; absent when they know none. */
  readonly newest?: Moment;
}

export interface LogQuestion<B extends LogBase = LogBase> {
  readonly bases: readonly B[];
  readonly timelines: readonly LoggedTimeline[];
  readonly segmentSizeBytes: number;
  readonly windowSeconds: number;
  readonly now: Moment;
}

/** `[from, to)` of a timeline; without `to` it has no end. */
export interface NeededLog {
  readonly timeline: number;
  readonly from: bigint;
  readonly to?: bigint;
  readonly words: string;
}

export interface LogDemand {
  readonly needed: readonly NeededLog[];
  /** Since when the continuous window is kept. */
  readonly windowFrom: Moment;
}

/**
 * Counts the window back from the newest moment that the log knows, never from a later now: while a database is down, what leads to its
 * last moment must not end. What cannot be judged is needed.
 */
export function neededLog(question: LogQuestion): LogDemand {
  const { bases, timelines } = question;
  const { windowFrom, alive } = windowOf(question);
  const needed = [
    ...bases.map(ownLog),
    ...(alive.some(({ history }) => history === undefined)
      ? timelines.map(({ timeline }) => ({ timeline, from: 0n, words: 'a timeline whose history is not known' }))
      : alive.flatMap(({ history }) => (history === undefined ? [] : windowOn(history, bases, windowFrom)))),
  ];
  return { needed: needed.map((stretch) => widened(stretch, question.segmentSizeBytes)), windowFrom };
}

/** What a snapshot needs to become consistent. */
function ownLog({ timeline, startLsn, stopLsn, to }: SnapshotLog): NeededLog {
  return { timeline, from: lsnValue(startLsn), to: lsnValue(stopLsn), words: `the snapshot of ${to}` };
}

export function isOwnLog(base: SnapshotLog, segmentSizeBytes: number, object: LogStretch): boolean {
  return isNeededLog([widened(ownLog(base), segmentSizeBytes)], object);
}

/** In words, why log that nothing needs is not needed. */
export function whyUnneeded(question: LogQuestion, { timeline, fromLsn }: LogStretch): string {
  const isOnWay = windowOf(question).alive.some(
    ({ history }) => history !== undefined && timelineOf(history, fromLsn) === timeline,
  );
  return isOnWay
    ? 'older than the continuous window, and no snapshot that stays needs it'
    : `of timeline ${timeline}, which was left before the continuous window, and no snapshot that stays needs it`;
}

/** Whether any needed stretch overlaps the log from `fromLsn` to `toLsn`. */
export function isNeededLog(needed: readonly NeededLog[], object: LogStretch): boolean {
  const [from, to] = [lsnValue(object.fromLsn), lsnValue(object.toLsn)];
  return needed.some(
    (stretch) =>
      stretch.timeline === object.timeline && to > stretch.from && (stretch.to === undefined || from < stretch.to),
  );
}

/**
 * Of each timeline that lived in the window: the newest clean base in front of it, from which its first moments are recovered, and the
 * oldest one in it. That one is the base once the window has passed it: without it the old base, and all log from there, would stay for ever
 * where the rules keep few snapshots. Asked of the bases that every copy has, and of all. What cannot be judged is needed.
 */
export function windowBases<B extends LogBase>(question: LogQuestion<B>): ReadonlyMap<B, WindowVerdict> {
  const { bases, windowSeconds } = question;
  const { windowFrom, alive } = windowOf(question);
  const verdicts = new Map<B, WindowVerdict>();
  for (const { timeline, history } of alive) {
    const usable = history === undefined ? bases.filter(isClean) : usableOn(history, bases);
    for (const some of [usable.filter(({ everywhere }) => everywhere), usable]) {
      const front = newestBefore(some, windowFrom);
      for (const base of some) {
        const words =
          history === undefined
            ? `base of log whose timeline ${timeline} nobody knows`
            : windowWords(base, front, oldestAfter(some, windowFrom));
        const next = oldestAfter(some, base.to);
        const lostAt = next !== undefined && next.to <= windowFrom ? addSeconds(next.to, windowSeconds) : undefined;
        verdicts.set(base, merged(verdicts.get(base), { ...(words && { words }), ...(lostAt && { lostAt }) }));
      }
    }
  }
  return verdicts;
}

function windowWords(base: LogBase, front: LogBase | undefined, oldest: LogBase | undefined): string | undefined {
  if (base === front) return 'base of the log window';
  if (base !== oldest) return undefined;
  return front === undefined ? 'first base in the log window' : 'next base of the log window';
}

function merged(known: WindowVerdict | undefined, more: WindowVerdict): WindowVerdict {
  const lostAt = [known?.lostAt, more.lostAt]
    .flatMap((at) => at ?? [])
    .sort()
    .at(-1);
  return { ...more, ...known, ...(lostAt && { lostAt }) };
}

function newestBefore<B extends LogBase>(bases: readonly B[], moment: Moment): B | undefined {
  return bases.filter(({ to }) => to <= moment).reduce<B | undefined>((a, b) => (a && a.to >= b.to ? a : b), undefined);
}

function oldestAfter<B extends LogBase>(bases: readonly B[], moment: Moment): B | undefined {
  return bases.filter(({ to }) => to > moment).reduce<B | undefined>((a, b) => (a && a.to <= b.to ? a : b), undefined);
}

function isClean({ state }: LogBase): boolean {
  return state === 'clean';
}

/** Clean ones on the way to `history.timeline`. */
function usableOn<B extends LogBase>(history: TimelineHistory, bases: readonly B[]): B[] {
  return bases.filter((base) => isClean(base) && isOnPath(history, base.timeline, base.stopLsn));
}

/** Counted back from the last sign of life; what nobody knows the age of is alive. */
function windowOf({ timelines, windowSeconds, now }: LogQuestion) {
  const known = timelines
    .flatMap(({ newest }) => newest ?? [])
    .sort()
    .at(-1);
  const reference = known === undefined || known > now ? now : known;
  const windowFrom = addSeconds(reference, -windowSeconds);
  const alive = timelines.filter(({ newest }) => newest === undefined || newest >= windowFrom);
  return { windowFrom, alive };
}

/** The way to `history.timeline` from the newest base in front of the window; all of it when there is no base at all. */
function windowOn(history: TimelineHistory, bases: readonly LogBase[], windowFrom: Moment): NeededLog[] {
  const usable = usableOn(history, bases);
  const before = usable
    .filter(({ everywhere, to }) => everywhere && to <= windowFrom)
    .map(({ startLsn }) => lsnValue(startLsn))
    .reduce<bigint | undefined>((newest, at) => (newest === undefined ? at : later(newest, at)), undefined);
  const oldest = usable.map(({ startLsn }) => lsnValue(startLsn)).sort((a, b) => (a < b ? -1 : 1))[0];
  const start = before ?? oldest ?? 0n;
  return pathParts(history).flatMap((part) => {
    const from = later(start, part.from);
    if (part.to !== undefined && part.to <= from) return [];
    const words = 'the continuous window';
    return [{ timeline: part.timeline, from, words, ...(part.to === undefined ? {} : { to: part.to }) }];
  });
}

/** A server reads whole segments: their first page names the cluster. */
function widened(stretch: NeededLog, segmentSizeBytes: number): NeededLog {
  const size = BigInt(segmentSizeBytes);
  const from = (stretch.from / size) * size;
  if (stretch.to === undefined) return { ...stretch, from };
  const end = ((stretch.to + size - 1n) / size) * size;
  return { ...stretch, from, to: end > from ? end : from + size };
}

/** For people: `0/3000000 to 0/5000000 of timeline 1`. */
export function describeNeeded({ timeline, from, to, words }: NeededLog): string {
  const end = to === undefined ? 'its end' : lsnFrom(to);
  return `${lsnFrom(from)} to ${end} of timeline ${timeline}: ${words}`;
}
