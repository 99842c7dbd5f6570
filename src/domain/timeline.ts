// Timelines: the branches a cluster's log takes at every promotion, as its history files tell them (PostgreSQL manual, "Timelines").

import { fail } from '../errors/index.ts';
import { compareLsn, type Lsn, parseLsn } from './lsn.ts';

/** One line of a history file: the log of `timeline` is followed up to, not including, `switchLsn`. */
export interface TimelineSwitch {
  readonly timeline: number;
  readonly switchLsn: Lsn;
  readonly reason: string;
}

/** A timeline with the way that leads to it, oldest ancestor first; a first timeline has no ancestors. */
export interface TimelineHistory {
  readonly timeline: number;
  readonly ancestors: readonly TimelineSwitch[];
}

export function historyFileName(timeline: number): string {
  return `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
}

/** Reads the text of a `.history` file. Throws `OBJECT_DAMAGED` when a line is not one, or positions run backwards. */
export function parseTimelineHistory(timeline: number, text: string): TimelineHistory {
  const ancestors: TimelineSwitch[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [id = '', lsn = '', ...reason] = line.trim().split(/\s+/);
    if (!/^\d+$/.test(id) || !/^[0-9A-Fa-f]+\/[0-9A-Fa-f]+$/.test(lsn)) {
      fail('OBJECT_DAMAGED', `'${historyFileName(timeline)}' has a line that is not one: '${line}'`);
    }
    ancestors.push({ timeline: Number(id), switchLsn: parseLsn(lsn), reason: reason.join(' ') });
  }
  for (const [index, ancestor] of ancestors.entries()) {
    const next = ancestors[index + 1];
    const nextTimeline = next?.timeline ?? timeline;
    if (ancestor.timeline >= nextTimeline || (next && compareLsn(ancestor.switchLsn, next.switchLsn) > 0)) {
      fail('OBJECT_DAMAGED', `'${historyFileName(timeline)}' runs backwards`);
    }
  }
  return { timeline, ancestors };
}

/** The timeline whose log holds the byte at `lsn` on the way to `history.timeline`. */
export function timelineOf(history: TimelineHistory, lsn: Lsn): number {
  return history.ancestors.find((ancestor) => compareLsn(lsn, ancestor.switchLsn) < 0)?.timeline ?? history.timeline;
}

/** Whether a backup taken on `timeline` that ended at `lsn` lies on the way to `history.timeline`. */
export function isOnPath(history: TimelineHistory, timeline: number, lsn: Lsn): boolean {
  if (timeline === history.timeline) return true;
  const step = history.ancestors.find((ancestor) => ancestor.timeline === timeline);
  return step !== undefined && compareLsn(lsn, step.switchLsn) <= 0;
}
