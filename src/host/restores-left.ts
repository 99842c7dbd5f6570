// What restores have left of a component, by its kind: the journals of a database are beside its data, those of files in their roots.

import path from 'node:path';
import type { ComponentSettings, RedisSettings } from '../../config/index.ts';
import type { OpenRestore } from '../domain/component-report.ts';
import type { RunStatus } from '../domain/operations.ts';
import { hasServer, isEnd, isInPlace } from '../domain/restore-runs.ts';
import type { RunData } from '../domain/run-data.ts';
import { toHoldfastError } from '../errors/index.ts';
import { type Phase, type RunInPlace, runsInPlace } from '../files/index.ts';
import { isLockHeld } from '../process/index.ts';
import { isMarked, type LeftRun, openRuns, runningBeside } from '../redis/index.ts';
import { openRestores, type RestoresLeft, STILL_MS } from './open-restores.ts';
import type { RunRecords } from './run-records.ts';
import { type TreesSettings, treesOf } from './trees.ts';
import { wholePhase } from './whole-phase.ts';

interface Asked {
  readonly host: string;
  readonly estate: string;
  /** Where runs that change a running server keep their journals. */
  readonly stateDirectory: string;
  readonly now?: Date;
}

/** Never throws: what cannot be looked for is in the answer. */
export async function restoresLeft(
  settings: ComponentSettings,
  records: RunRecords,
  asked: Asked,
): Promise<RestoresLeft> {
  switch (settings.kind) {
    case 'database':
      return await openRestores(settings, records, asked);
    case 'redis':
      return await openOfRedis(settings, records, asked);
    case 'files':
    case 'configuration':
      return await openInRoots(settings, records, asked);
  }
}

/** From another host by the records alone. */
async function openInRoots(settings: TreesSettings, records: RunRecords, asked: Asked): Promise<RestoresLeft> {
  const { host: here, now = new Date() } = asked;
  if (settings.host !== here) return await openRestores(settings, records, asked);
  const notKnown: RestoresLeft['notKnown'][number][] = [];
  const { places, unseen } = await treesOf(settings).places();
  for (const error of unseen) notKnown.push({ of: 'data', what: 'the places of its paths', error });
  const runs = new Map<string, InRoot[]>();
  // Also roots that the configuration has no more, by the journals of the others, and by what is kept of restores that nobody has ended.
  const recorded = unendedRestores(records.runs);
  const roots = new Set([...places, ...recorded.flatMap((each) => each.roots)]);
  for (const root of roots) {
    try {
      for (const [run, inRoot] of await runsInPlace(root)) {
        // Where no journal says whose it is, it is of a component that has the root, or that has a record of it.
        const isOwn = places.includes(root) || recorded.some((each) => each.run === run);
        if (inRoot.restore === undefined ? !isOwn : inRoot.restore.component !== settings.id) continue;
        runs.set(run, [...(runs.get(run) ?? []), { ...inRoot, root }]);
        if (!isOver(inRoot.phase)) for (const other of inRoot.restore?.roots ?? []) roots.add(other);
      }
    } catch (error) {
      notKnown.push({ of: 'data', what: `the journals in '${root}'`, error: toHoldfastError(error) });
    }
  }
  const found: OpenRestore[] = [];
  for (const [run, each] of runs) {
    try {
      found.push(...(await openInAll(run, each, now)));
    } catch (error) {
      notKnown.push({ of: 'data', what: `whether somebody is at ${run}`, error: toHoldfastError(error) });
    }
  }
  return { found, notKnown };
}

/** In place, of trees of files; of those that a person has ended nothing more is asked. */
function unendedRestores(
  runs: readonly RunStatus[],
): readonly { readonly run: string; readonly roots: readonly string[] }[] {
  const ended = new Set(runs.filter(isEnd).map(({ data }) => data?.restoreRun));
  return runs
    .filter((each) => isInPlace(each) && !ended.has(each.run))
    .map(({ run, data }) => ({ run, roots: (data as RunData | undefined)?.filesPlan?.roots ?? [] }));
}

/** Journals are in the data directory, and in the state directory of restores into the running server. */
async function openOfRedis(settings: RedisSettings, records: RunRecords, asked: Asked): Promise<RestoresLeft> {
  const { host, name, dataDirectory } = settings;
  const { host: here, stateDirectory, now = new Date() } = asked;
  if (host !== here) return await openRestores({ id: settings.id, host }, records, asked);
  const live = path.join(stateDirectory, 'redis', name);
  const places = dataDirectory === undefined ? [live] : [path.join(dataDirectory, '.holdfast'), live];
  const found: OpenRestore[] = [];
  const notKnown: RestoresLeft['notKnown'][number][] = [];
  for (const place of places) {
    try {
      for (const left of await openRuns(place)) found.push(...openRedisRun(left, now));
    } catch (error) {
      notKnown.push({ of: 'data', what: `the journals in '${place}'`, error: toHoldfastError(error) });
    }
  }
  for (const status of records.runs.filter(hasServer)) {
    try {
      found.push(...(await servingOf(status)));
    } catch (error) {
      notKnown.push({ of: 'server', what: `whether the server of ${status.run} runs`, error: toHoldfastError(error) });
    }
  }
  for (const { record, error } of records.unread.filter((each) => /^restore-/.test(each.record?.run ?? 'restore-')))
    notKnown.push({ of: 'server', what: record ? `the record of ${record.run}` : 'the records of runs', error });
  return { found, notKnown };
}

/** A server that a restore has started beside, as long as the directory is that of the restore and the server works in it. */
async function servingOf({ run, data, endedAt, startedAt }: RunStatus): Promise<OpenRestore[]> {
  const dataDirectory = (data as RunData | undefined)?.redisPlan?.directory;
  if (dataDirectory === undefined || !(await isMarked(dataDirectory, run))) return [];
  if ((await runningBeside(dataDirectory)) === undefined) return [];
  return [{ run, state: 'serving', dataDirectory, since: endedAt ?? startedAt }];
}

function openRedisRun({ run, phase, directory, at }: LeftRun, now: Date): OpenRestore[] {
  const left = { run, dataDirectory: directory, since: at } as const;
  if (phase === 'exchanged') return [{ ...left, state: 'unconfirmed', keptAt: directory }];
  if (phase === 'confirmed' || phase === 'rolled back' || now.getTime() - Date.parse(at) < STILL_MS) return [];
  return [{ ...left, state: 'stopped', phase: phase === 'exchanging' ? 'swapping' : phase }];
}

type InRoot = RunInPlace & { readonly root: string };

/** One run may have touched several roots: a word to it is a word to all, and what is not over in one is not over. */
async function openInAll(run: string, roots: readonly InRoot[], now: Date): Promise<OpenRestore[]> {
  const phase = wholePhase(roots.map((each) => each.phase));
  const open = roots.filter((each) => !each.isCleared);
  const told = open.find((each) => each.phase === phase) ?? open.at(-1);
  if (told === undefined) return [];
  const at = (isOver(phase) ? open : roots).reduce((last, each) => (each.at > last ? each.at : last), told.at);
  const left = { run, dataDirectory: told.root, since: at } as const;
  if (phase === 'exchanged') return [{ ...left, state: 'unconfirmed', keptAt: told.kept }];
  // Nobody holds the lock between two steps of one that goes on; whoever clears has held it since before it was over.
  if (!isOver(phase) && now.getTime() - Date.parse(at) < STILL_MS) return [];
  for (const { lock } of open) if (await isLockHeld(lock)) return [];
  if (isOver(told.phase) && isOver(phase)) {
    // He may have come to the end of it between the two looks.
    if ((await runsInPlace(told.root)).get(run)?.isCleared !== false) return [];
    return [{ ...left, state: 'uncleared', keptAt: path.dirname(told.kept), phase: told.phase }];
  }
  return [{ ...left, state: 'stopped', phase: phase === 'exchanging' ? 'swapping' : phase }];
}

function isOver(phase: Phase): phase is 'confirmed' | 'rolled back' {
  return phase === 'confirmed' || phase === 'rolled back';
}
