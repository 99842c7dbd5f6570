// Which stretches of log a list of objects covers: contiguous ranges for each timeline, across segment boundaries, and the holes between them.

import { type Lsn, lsnFrom, lsnValue } from './lsn.ts';

/** First byte and one past the last byte that an object holds. */
export interface CoveredStretch {
  readonly timeline: number;
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
}

export interface TimelineCoverage {
  readonly timeline: number;
  /** In order; none touches the next. */
  readonly ranges: readonly { readonly fromLsn: Lsn; readonly toLsn: Lsn }[];
  /** Between two ranges of the timeline. What lies before the first and after the last is not known to be missing. */
  readonly holes: readonly { readonly fromLsn: Lsn; readonly toLsn: Lsn }[];
}

/** One entry a timeline, lowest first; objects may come in any order and may overlap. */
export function coverage(objects: readonly CoveredStretch[]): readonly TimelineCoverage[] {
  const byTimeline = new Map<number, { from: bigint; to: bigint }[]>();
  for (const { timeline, fromLsn, toLsn } of objects) {
    const stretches = byTimeline.get(timeline) ?? [];
    stretches.push({ from: lsnValue(fromLsn), to: lsnValue(toLsn) });
    byTimeline.set(timeline, stretches);
  }
  return [...byTimeline]
    .sort(([a], [b]) => a - b)
    .map(([timeline, stretches]) => {
      const merged = merge(stretches);
      const ranges = merged.map(({ from, to }) => ({ fromLsn: lsnFrom(from), toLsn: lsnFrom(to) }));
      const holes = merged.slice(1).map(({ from }, index) => ({ fromLsn: ranges[index]!.toLsn, toLsn: lsnFrom(from) }));
      return { timeline, ranges, holes };
    });
}

function merge(stretches: readonly { from: bigint; to: bigint }[]): { from: bigint; to: bigint }[] {
  const merged: { from: bigint; to: bigint }[] = [];
  for (const { from, to } of [...stretches].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))) {
    if (from >= to) continue;
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to) last.to = to > last.to ? to : last.to;
    else merged.push({ from, to });
  }
  return merged;
}
