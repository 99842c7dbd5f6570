// What one copy holds of a cluster's log: every object with its facts, the timelines, the newest marks.

import { setTimeout as sleep } from 'node:timers/promises';
import { compareLsn, lsnValue, type SegmentName } from '../../domain/lsn.ts';
import { parseTimelineHistory, type TimelineHistory } from '../../domain/timeline.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import type { LogCopy, LogHeader, LogListing, LogObject, TimeMark } from '../../vault/types.ts';
import { eachOf } from './parallel.ts';

export interface ArchivedObject {
  readonly object: LogObject;
  readonly header: LogHeader;
}

export interface LogArchive {
  readonly copy: string;
  readonly systemId: string;
  readonly log: LogCopy;
  readonly segmentSizeBytes: number;
  /** In the order of the log, timeline by timeline. */
  readonly objects: readonly ArchivedObject[];
  readonly segments: SegmentIndex;
  /** Every timeline that is known, with the way that leads to it. */
  readonly timelines: ReadonlyMap<number, TimelineHistory>;
  /** Numbers of the history files that are stored. */
  readonly histories: readonly number[];
  /** Every mark that is known, by timeline. */
  readonly marks: ReadonlyMap<number, readonly TimeMark[]>;
}

/** Headers never change under their key, so a caller that asks often may keep them. */
export type HeaderCache = Map<string, LogHeader>;

/** Small requests in flight while headers are read. */
const headersAtOnce = 16;

/** Reads what a copy holds. Throws what the store throws: a copy that cannot be read whole is not a smaller copy. */
export async function readLogArchive(
  log: LogCopy,
  systemId: string,
  segmentSizeBytes: number,
  headers: HeaderCache = new Map(),
): Promise<LogArchive> {
  const listing = await log.list();
  const objects: ArchivedObject[] = [];
  await eachOf(listing.objects, headersAtOnce, async (object, index) => {
    const cacheKey = `${log.copy} ${object.key}`;
    const header = headers.get(cacheKey) ?? (await log.readHeader(object));
    headers.set(cacheKey, header);
    if (header.segmentSizeBytes !== segmentSizeBytes || header.timeline !== object.timeline) {
      fail('OBJECT_DAMAGED', `'${object.key}' on copy '${log.copy}' is described as something else than its name says`);
    }
    objects[index] = { object, header };
  });
  const timelines = new Map<number, TimelineHistory>();
  for (const timeline of listing.histories) {
    timelines.set(timeline, parseTimelineHistory(timeline, await log.readHistory(timeline)));
  }
  for (const { header } of objects) {
    if (!timelines.has(header.timeline)) timelines.set(header.timeline, { timeline: header.timeline, ancestors: [] });
  }
  const marks = await collectMarks(log, listing, objects);
  const ordered = withoutReplacedExtents(objects).sort(inLogOrder);
  const { histories } = listing;
  const segments = indexBySegment(ordered.map(({ object }) => object));
  return { copy: log.copy, systemId, log, segmentSizeBytes, objects: ordered, segments, timelines, histories, marks };
}

const listingAttempts = 6;
const listingPauseMs = 100;

/**
 * Reads anew when something that was listed is gone: the receiver closes segments, drops their extents and replaces marks while
 * others read. What is still missing after some attempts is really missing.
 */
export async function whileLogMoves<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read();
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_MISSING') || attempt === listingAttempts) throw error;
      await sleep(listingPauseMs * attempt);
    }
  }
}

async function collectMarks(log: LogCopy, listing: LogListing, objects: readonly ArchivedObject[]) {
  const marks = new Map<number, TimeMark[]>();
  const add = (timeline: number, mark: TimeMark | undefined) => {
    if (mark !== undefined) marks.set(timeline, [...(marks.get(timeline) ?? []), mark]);
  };
  for (const { header } of objects) add(header.timeline, header.mark);
  const timelines = new Set(listing.objects.map(({ timeline }) => timeline));
  // The listing's own mark is the newest of all; only a listing of one timeline says whose it is.
  for (const timeline of timelines) {
    add(timeline, timelines.size === 1 ? listing.mark : (await log.list({ timeline })).mark);
  }
  return marks;
}

/** A closed segment says all that its extents said; those are only waiting to be dropped. */
function withoutReplacedExtents(objects: readonly ArchivedObject[]): ArchivedObject[] {
  const closed = new Map(
    objects.filter(({ object }) => object.kind === 'segment').map((it) => [it.object.segment, it]),
  );
  return objects.filter(({ object, header }) => {
    const segment = object.kind === 'extent' ? closed.get(object.segment) : undefined;
    return segment === undefined || lsnValue(header.toLsn) > lsnValue(segment.header.toLsn);
  });
}

function inLogOrder(a: ArchivedObject, b: ArchivedObject): number {
  if (a.header.timeline !== b.header.timeline) return a.header.timeline - b.header.timeline;
  return compareLsn(a.header.fromLsn, b.header.fromLsn);
}

/** Objects by the segment whose bytes they hold, the closed one first, then extents in their order. */
export type SegmentIndex = ReadonlyMap<SegmentName, readonly LogObject[]>;

export function indexBySegment(objects: readonly LogObject[]): SegmentIndex {
  const index = new Map<SegmentName, LogObject[]>();
  for (const object of objects) {
    const there = index.get(object.segment);
    if (there === undefined) index.set(object.segment, [object]);
    else there.push(object);
  }
  const order = ({ kind }: LogObject) => (kind === 'segment' ? 0 : 1);
  for (const of of index.values()) of.sort((a, b) => order(a) - order(b) || compareLsn(a.fromLsn, b.fromLsn));
  return index;
}
