// What a component can be recovered to, per copy: the window from the oldest usable base to the end of the log, and its holes.

import type { ComponentId } from '../../domain/component.ts';
import { compareLsn, type Lsn } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import type { LogHole, RecoveryWindow } from '../types.ts';
import { type Branch, makeBranch, momentAfter, momentBefore, physicalDetails, timelineAt } from './branch.ts';
import { type HeaderCache, type LogArchive, readLogArchive, whileLogMoves } from './log-archive.ts';

export interface WindowOptions {
  /** Default: the system of the newest base backup. */
  readonly systemId?: string;
  readonly headers?: HeaderCache;
}

/** One window for each copy that answers and can recover anything; a copy that cannot be read throws its error. */
export async function windows(
  vault: Vault,
  component: ComponentId,
  options: WindowOptions = {},
): Promise<readonly RecoveryWindow[]> {
  const snapshots = await usableSnapshots(vault, component, options.systemId);
  const first = snapshots[0];
  if (first === undefined) return [];
  const { systemId, segmentSizeBytes } = physicalDetails(first);
  const found: RecoveryWindow[] = [];
  for (const condition of await vault.conditions()) {
    if (condition.state !== 'ready') continue;
    const log = vault.log(component, systemId, condition.name);
    const archive = await whileLogMoves(() => readLogArchive(log, systemId, segmentSizeBytes, options.headers));
    const here = snapshots.filter(({ copies }) => copies[condition.name] === 'present');
    const window = windowOf(component, makeBranch(archive, mainHistory(archive), here));
    if (window !== undefined) found.push(window);
  }
  return found;
}

/** Clean base backups of one system, newest first. */
export async function usableSnapshots(
  vault: Vault,
  component: ComponentId,
  systemId?: string,
): Promise<readonly SnapshotOnCopies[]> {
  const physical = (await vault.listSnapshots(component)).filter(
    ({ kind, state }) => kind === 'physical' && state === 'clean',
  );
  physical.sort((a, b) => (a.to < b.to ? 1 : a.to > b.to ? -1 : 0));
  const newest = physical[0];
  if (newest === undefined) return [];
  const wanted = systemId ?? physicalDetails(newest).systemId;
  return physical.filter((snapshot) => physicalDetails(snapshot).systemId === wanted);
}

/**
 * The way to the timeline that the cluster was seen on last: the one with the newest mark or transaction, which after a
 * rollback need not be the one with the highest number.
 */
export function mainHistory(archive: LogArchive) {
  let best = { time: '' as Moment | '', timeline: 0 };
  for (const timeline of archive.timelines.keys()) {
    const times = [
      ...(archive.marks.get(timeline) ?? []).map(({ time }) => time),
      ...archive.objects.flatMap(({ header }) =>
        header.timeline === timeline && header.last ? [header.last.time] : [],
      ),
    ];
    const newest = times.reduce<Moment | ''>((latest, time) => (time > latest ? time : latest), '');
    if (newest > best.time || (newest === best.time && timeline > best.timeline)) best = { time: newest, timeline };
  }
  return archive.timelines.get(best.timeline) ?? { timeline: 1, ancestors: [] };
}

export function windowOf(component: ComponentId, branch: Branch): RecoveryWindow | undefined {
  const [newest, oldest] = [branch.bases[0], branch.bases.at(-1)];
  if (newest === undefined || oldest === undefined) return undefined;
  const { copy, systemId } = branch.archive;
  const toLsn = newest.run.toLsn;
  const to = momentBefore(branch, toLsn, newest.details.stopLsn) ?? newest.snapshot.to;
  return {
    component,
    copy,
    systemId,
    timeline: branch.history.timeline,
    from: oldest.snapshot.to,
    to: [to, newest.snapshot.to].sort().at(-1) as Moment,
    fromLsn: oldest.details.stopLsn,
    toLsn,
    holes: holesOf(branch, oldest.details.stopLsn),
  };
}

/** Gaps between the runs of log that reach past `from`, with the moments known on both sides. */
export function holesOf(branch: Branch, from: Lsn): readonly LogHole[] {
  const runs = branch.runs.filter(({ toLsn }) => compareLsn(toLsn, from) > 0);
  return runs.slice(1).map((run, index) => {
    const fromLsn = runs[index]?.toLsn as Lsn;
    const after = momentBefore(branch, fromLsn, from);
    const before = momentAfter(branch, run.fromLsn);
    const timeline = timelineAt(branch, fromLsn);
    return { timeline, fromLsn, toLsn: run.fromLsn, ...(after ? { after } : {}), ...(before ? { before } : {}) };
  });
}
