// The way of the log through timelines and declared holes, as stretches in order; every copy's cursor moves along it.

import { coverage } from '../../domain/log-coverage.ts';
import { type LogStretch, pathParts } from '../../domain/log-path.ts';
import { lsnValue } from '../../domain/lsn.ts';
import type { TimelineHistory } from '../../domain/timeline.ts';
import { segmentFloor } from './wal-stream.ts';

/** Timelines on one way only grow, so positions compare by timeline first. */
export interface LogPosition {
  readonly timeline: number;
  readonly at: bigint;
}

export function comparePositions(a: LogPosition, b: LogPosition): number {
  if (a.timeline !== b.timeline) return a.timeline - b.timeline;
  return a.at < b.at ? -1 : a.at > b.at ? 1 : 0;
}

export interface Stretch {
  readonly timeline: number;
  /** A segment's start, but for log that a retention or a hole began elsewhere. */
  readonly from: bigint;
  /** Absent: still growing. `switch`: the cluster left the timeline here; `hole`: what follows was lost. */
  end?: { readonly at: bigint; readonly how: 'switch' | 'hole' };
}

export class Route {
  readonly stretches: Stretch[];

  constructor(stretches: readonly Stretch[] = []) {
    this.stretches = [...stretches];
  }

  get last(): Stretch | undefined {
    return this.stretches.at(-1);
  }

  /** The stretch in which the position lies; at the end of one it still does, until `settle` moved it on. */
  stretchOf({ timeline, at }: LogPosition): Stretch | undefined {
    return this.stretches.findLast((stretch) => stretch.timeline === timeline && stretch.from <= at);
  }

  /** Moves a position that reached the end of its stretch to the start of the next. */
  settle(position: LogPosition): LogPosition {
    const stretch = this.stretchOf(position);
    if (stretch?.end === undefined || position.at < stretch.end.at) return position;
    const next = this.stretches[this.stretches.indexOf(stretch) + 1];
    return next === undefined ? position : this.settle({ timeline: next.timeline, at: next.from });
  }

  /** Where a copy that holds these ranges has to go on: the end of its first range in the newest stretch that it holds anything of. */
  cursorOf(held: readonly LogStretch[]): LogPosition | undefined {
    const ranges = coverage(held);
    for (const stretch of this.stretches.toReversed()) {
      const own = ranges.find(({ timeline }) => timeline === stretch.timeline)?.ranges ?? [];
      const first = own.find(({ fromLsn, toLsn }) => {
        const isBeforeEnd = stretch.end === undefined || lsnValue(fromLsn) < stretch.end.at;
        return isBeforeEnd && lsnValue(toLsn) > stretch.from;
      });
      if (first === undefined) continue;
      const end = lsnValue(first.toLsn);
      const at = stretch.end !== undefined && end > stretch.end.at ? stretch.end.at : end;
      return { timeline: stretch.timeline, at };
    }
    return undefined;
  }
}

/** The stretches that all the copies together hold on the way to `history.timeline`. */
export function routeOf(history: TimelineHistory, held: readonly LogStretch[], segmentSizeBytes: number): Route {
  const stretches: Stretch[] = [];
  const known = coverage(held);
  for (const { timeline, from, to } of pathParts(history)) {
    const begin = segmentFloor(from, segmentSizeBytes);
    const ranges = known.find((each) => each.timeline === timeline)?.ranges ?? [];
    const used = ranges
      .map(({ fromLsn, toLsn }) => ({ from: lsnValue(fromLsn), to: lsnValue(toLsn) }))
      .filter((range) => range.to > begin && (to === undefined || range.from < to));
    for (const [index, range] of used.entries()) {
      const isLast = index === used.length - 1;
      // The last stretch of a timeline that was left may still grow up to the switch.
      const end = !isLast
        ? ({ at: range.to, how: 'hole' } as const)
        : to === undefined
          ? undefined
          : ({ at: to, how: 'switch' } as const);
      stretches.push({ timeline, from: range.from, ...(end === undefined ? {} : { end }) });
    }
  }
  // Timelines on the way that nobody holds yet, behind the last that somebody does.
  const last = stretches.at(-1);
  if (last !== undefined) {
    for (const { timeline, from, to } of pathParts(history)) {
      if (timeline <= last.timeline) continue;
      const end = to === undefined ? {} : { end: { at: to, how: 'switch' as const } };
      stretches.push({ timeline, from: segmentFloor(from, segmentSizeBytes), ...end });
    }
  }
  return new Route(stretches);
}
