// What restores have left of a component, by its kind: the journals of a database are beside its data, those of files in their roots.

import path from 'node:path';
import type { ComponentSettings, RedisSettings } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import type { OpenRestore } from '../domain/component-report.ts';
import { toHoldfastError } from '../errors/index.ts';
import { runsInPlace } from '../files/index.ts';
import { isLockHeld } from '../process/index.ts';
import { type LeftRun, openRuns } from '../redis/index.ts';
import { openRestores, type RestoresLeft, STILL_MS } from './open-restores.ts';
import type { RunRecords } from './run-records.ts';
import { type TreesSettings, treesOf } from './trees.ts';

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
  const found: OpenRestore[] = [];
  const notKnown: RestoresLeft['notKnown'][number][] = [];
  const { places, unseen } = await treesOf(settings).places();
  for (const error of unseen) notKnown.push({ of: 'data', what: 'the places of its paths', error });
  for (const root of places) {
    try {
      found.push(...(await openInRoot(root, settings.id, now)));
    } catch (error) {
      notKnown.push({ of: 'data', what: `the journals in '${root}'`, error: toHoldfastError(error) });
    }
  }
  // One run may have touched several roots: a word to it is a word to all, and what is not over in one is not over.
  const byRun = new Map<string, OpenRestore>();
  for (const each of found) if (each.state !== 'uncleared' || !byRun.has(each.run)) byRun.set(each.run, each);
  return { found: [...byRun.values()], notKnown };
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
  return { found, notKnown };
}

function openRedisRun({ run, phase, directory, at }: LeftRun, now: Date): OpenRestore[] {
  const left = { run, dataDirectory: directory, since: at } as const;
  if (phase === 'exchanged') return [{ ...left, state: 'unconfirmed', keptAt: directory }];
  if (phase === 'confirmed' || phase === 'rolled back' || now.getTime() - Date.parse(at) < STILL_MS) return [];
  return [{ ...left, state: 'stopped', phase: phase === 'exchanging' ? 'swapping' : phase }];
}

async function openInRoot(root: string, component: ComponentId, now: Date): Promise<OpenRestore[]> {
  const open: OpenRestore[] = [];
  for (const [run, { phase, at, kept, lock, isCleared, restore }] of await runsInPlace(root)) {
    if (restore !== undefined && restore.component !== component) continue;
    const left = { run, dataDirectory: root, since: at } as const;
    const isOver = phase === 'confirmed' || phase === 'rolled back';
    if (phase === 'exchanged') open.push({ ...left, state: 'unconfirmed', keptAt: kept });
    else if ((isOver && isCleared) || now.getTime() - Date.parse(at) < STILL_MS || (await isLockHeld(lock))) continue;
    else if (isOver) open.push({ ...left, state: 'uncleared', keptAt: path.dirname(kept), phase });
    else open.push({ ...left, state: 'stopped', phase: phase === 'exchanging' ? 'swapping' : phase });
  }
  return open;
}
