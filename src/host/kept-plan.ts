// Plans of restores of Redis on their own host, beside the vault's record of them: a restore is undone, and a server stopped, while no store answers.

import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Configuration, stateDirectoryOf } from '../../config/index.ts';
import type { RedisPlan } from '../domain/redis-restore.ts';
import { isMarked, removeLeftCounts, runIn } from '../redis/index.ts';
import { isThere, syncDirectory } from '../system/index.ts';
import { journalPlaces } from './redis-places.ts';

interface Here {
  readonly configuration: Configuration;
  readonly host: string;
}

/** An attempt that was not told that a restore has ended may ask for its plan once more. */
const KEPT_MS = 7 * 24 * 60 * 60_000;
/** Where nothing says that it has begun or ended, it may wait for an approval, or its data directory may not be mounted. */
const UNKNOWN_MS = 90 * 24 * 60 * 60_000;

/** The same plan again is fine. Those of restores that have long ended go with it, and what plans that were killed have left. */
export async function keepRedisPlan(here: Here, plan: RedisPlan): Promise<void> {
  const file = fileOf(here, plan.run);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(`${file}.part`, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify(plan));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.part`, file);
  await removeEnded(here, path.dirname(file));
  // What keeps us from it now may be over by the next time.
  await removeLeftCounts(journalPlaces(here, { name: nameOf(plan) }).running).catch(() => undefined);
  await syncDirectory(path.dirname(file));
}

/** Undefined where there is none. */
export async function keptRedisPlan(here: Here, run: string): Promise<RedisPlan | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(here, run), 'utf8')) as RedisPlan;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The vault has them all, and one of which it cannot be told stays. */
async function removeEnded(here: Here, directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const file = path.join(directory, name);
    try {
      const { mtimeMs } = await stat(file);
      if (Date.now() - mtimeMs < KEPT_MS) continue;
      const plan = JSON.parse(await readFile(file, 'utf8')) as RedisPlan;
      if (Date.now() > (await goesAt(here, plan, mtimeMs))) await rm(file, { force: true });
    } catch {
      // What keeps us from looking now may be over by the next time.
    }
  }
}

/** One that was refused before anything was touched has no journal, and one beside has none at all. */
async function goesAt(here: Here, plan: RedisPlan, plannedAtMs: number): Promise<number> {
  const { run, mode, way, directory = '' } = plan;
  const unknown = plannedAtMs + UNKNOWN_MS;
  if (mode === 'beside') return (await isMarked(directory, run)) ? Number.POSITIVE_INFINITY : unknown;
  if (way === 'stopped' && !(await isThere(directory))) return Number.POSITIVE_INFINITY;
  const settings = { name: nameOf(plan), ...(way === 'stopped' && { dataDirectory: directory }) };
  const { running, stopped = running } = journalPlaces(here, settings);
  const found = await runIn(stopped, run);
  if (found === undefined) return unknown;
  // The end is the last line of its journal.
  return found.phase === 'confirmed' || found.phase === 'rolled back'
    ? Date.parse(found.at) + KEPT_MS
    : Number.POSITIVE_INFINITY;
}

const nameOf = ({ component }: RedisPlan) => component.slice('redis/'.length);

function fileOf({ configuration, host }: Here, run: string): string {
  return path.join(stateDirectoryOf(configuration, host), 'redis-plans', `${path.basename(run)}.json`);
}
