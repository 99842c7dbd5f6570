// One branch of a cluster's history as a copy can recover it: the way to a timeline, its unbroken runs of log, the bases on it.

import { type PathPart, type PathRun, pathParts, pathRuns, runAt } from '../../domain/log-path.ts';
import { compareLsn, type Lsn, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { isOnPath, type TimelineHistory } from '../../domain/timeline.ts';
import type { SnapshotOnCopies, TimeMark } from '../../vault/types.ts';
import type { PhysicalDetails } from '../types.ts';
import type { ArchivedObject, LogArchive } from './log-archive.ts';

/** A snapshot that can be recovered from here: all log from its start to its stop is there. */
export interface Base {
  readonly snapshot: SnapshotOnCopies;
  readonly details: PhysicalDetails;
  readonly run: PathRun;
  /** Start of the segment in which its log starts. */
  readonly floor: Lsn;
}

export interface Branch {
  readonly archive: LogArchive;
  readonly history: TimelineHistory;
  readonly parts: readonly PathPart[];
  readonly runs: readonly PathRun[];
  /** Objects whose bytes the way uses, in its order. */
  readonly objects: readonly ArchivedObject[];
  /** Newest first. */
  readonly bases: readonly Base[];
  readonly marks: readonly (TimeMark & { readonly timeline: number })[];
}

export function physicalDetails(snapshot: SnapshotOnCopies): PhysicalDetails {
  return snapshot.engine as unknown as PhysicalDetails;
}

/** `snapshots`: clean physical ones of this system that this copy has. */
export function makeBranch(
  archive: LogArchive,
  history: TimelineHistory,
  snapshots: readonly SnapshotOnCopies[],
): Branch {
  const parts = pathParts(history);
  const runs = pathRuns(
    history,
    archive.objects.map(({ header }) => header),
  );
  const objects = parts.flatMap((part) => archive.objects.filter(({ header }) => uses(part, header)));
  const marks = parts.flatMap(({ timeline, from, to }) =>
    (archive.marks.get(timeline) ?? [])
      .filter(({ lsn }) => lsnValue(lsn) >= from && (to === undefined || lsnValue(lsn) <= to))
      .map((mark) => ({ ...mark, timeline })),
  );
  const bases = snapshots.flatMap((snapshot) => baseOn(snapshot, archive, history, runs));
  bases.sort((a, b) => compareLsn(b.details.stopLsn, a.details.stopLsn));
  return { archive, history, parts, runs, objects, bases, marks };
}

function uses(part: PathPart, header: { timeline: number; fromLsn: Lsn; toLsn: Lsn }): boolean {
  return (
    header.timeline === part.timeline &&
    lsnValue(header.toLsn) > part.from &&
    (part.to === undefined || lsnValue(header.fromLsn) < part.to)
  );
}

function baseOn(
  snapshot: SnapshotOnCopies,
  archive: LogArchive,
  history: TimelineHistory,
  runs: readonly PathRun[],
): Base[] {
  const details = physicalDetails(snapshot);
  if (!isOnPath(history, details.timeline, details.stopLsn)) return [];
  const size = BigInt(archive.segmentSizeBytes);
  const floor = lsnFrom((lsnValue(details.startLsn) / size) * size);
  const run = runAt(runs, floor);
  if (run === undefined || compareLsn(run.toLsn, details.stopLsn) < 0) return [];
  return [{ snapshot, details, run, floor }];
}

/** The timeline whose log holds the record that starts at `lsn`. */
export function timelineAt(branch: Branch, lsn: Lsn): number {
  const at = lsnValue(lsn);
  return branch.parts.find(({ to }) => to === undefined || at < to)?.timeline ?? branch.history.timeline;
}

/** The newest moment known to lie at or before `lsn` and not before `floor`: of a mark, or of a transaction's end. */
export function momentBefore(branch: Branch, lsn: Lsn, floor: Lsn): Moment | undefined {
  const times = [
    ...branch.marks.filter((mark) => compareLsn(mark.lsn, lsn) <= 0 && compareLsn(mark.lsn, floor) >= 0),
    ...branch.objects
      .flatMap(({ header }) => (header.last === undefined ? [] : [header.last]))
      .filter((point) => compareLsn(point.lsn, lsn) < 0 && compareLsn(point.lsn, floor) >= 0),
  ].map(({ time }) => time);
  return times.reduce<Moment | undefined>(
    (latest, time) => (latest === undefined || time > latest ? time : latest),
    undefined,
  );
}

/** The first moment known to lie at or after `lsn`. */
export function momentAfter(branch: Branch, lsn: Lsn): Moment | undefined {
  const times = [
    ...branch.marks.filter((mark) => compareLsn(mark.lsn, lsn) >= 0),
    ...branch.objects
      .flatMap(({ header }) => (header.first === undefined ? [] : [header.first]))
      .filter((point) => compareLsn(point.lsn, lsn) >= 0),
  ].map(({ time }) => time);
  return times.reduce<Moment | undefined>(
    (first, time) => (first === undefined || time < first ? time : first),
    undefined,
  );
}
