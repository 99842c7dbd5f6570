// The way of the log through its timelines: which stretch of which timeline leads to a moment, and where that way is broken.

import { type Lsn, lsnFrom, lsnValue } from './lsn.ts';
import type { TimelineHistory } from './timeline.ts';

/** Consecutive log bytes of one timeline: first byte, and one past the last. */
export interface LogStretch {
  readonly timeline: number;
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
}

/** A stretch of the way; the last part is open: its timeline is still being written. */
export interface PathPart {
  readonly timeline: number;
  readonly from: bigint;
  readonly to: bigint | undefined;
}

/** The parts of the way to `history.timeline`, oldest first. */
export function pathParts(history: TimelineHistory): readonly PathPart[] {
  let from = 0n;
  const parts: PathPart[] = [];
  for (const { timeline, switchLsn } of history.ancestors) {
    const to = lsnValue(switchLsn);
    parts.push({ timeline, from, to });
    from = to;
  }
  return [...parts, { timeline: history.timeline, from, to: undefined }];
}

/** A run of log without a gap, across segments and timelines. */
export interface PathRun {
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
}

/** What of the way is there: maximal runs without a gap, in order. What lies between two of them is a hole. */
export function pathRuns(history: TimelineHistory, stretches: readonly LogStretch[]): readonly PathRun[] {
  const clipped = pathParts(history).flatMap((part) => clip(part, stretches));
  const runs: { from: bigint; to: bigint }[] = [];
  for (const { from, to } of clipped) {
    const last = runs.at(-1);
    if (last !== undefined && from <= last.to) last.to = later(last.to, to);
    else runs.push({ from, to });
  }
  return runs.map(({ from, to }) => ({ fromLsn: lsnFrom(from), toLsn: lsnFrom(to) }));
}

function clip(part: PathPart, stretches: readonly LogStretch[]): { from: bigint; to: bigint }[] {
  return stretches
    .filter(({ timeline }) => timeline === part.timeline)
    .map(({ fromLsn, toLsn }) => {
      const [from, to] = [lsnValue(fromLsn), lsnValue(toLsn)];
      return { from: later(from, part.from), to: part.to === undefined ? to : earlier(to, part.to) };
    })
    .filter(({ from, to }) => from < to)
    .sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
}

/** The run that holds the byte at `lsn`. */
export function runAt(runs: readonly PathRun[], lsn: Lsn): PathRun | undefined {
  const at = lsnValue(lsn);
  return runs.find(({ fromLsn, toLsn }) => lsnValue(fromLsn) <= at && at < lsnValue(toLsn));
}

/** The stretch of `timeline`'s own log inside `[from, to)` of the way; `undefined` when the way does not use it there. */
export function usedOf(part: PathPart, from: bigint, to: bigint): { from: bigint; to: bigint } | undefined {
  const begin = later(from, part.from);
  const end = part.to === undefined ? to : earlier(to, part.to);
  return begin < end ? { from: begin, to: end } : undefined;
}

/** `Math.max` for positions, which are too big for it. */
export function later(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

/** `Math.min` for positions. */
export function earlier(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}
