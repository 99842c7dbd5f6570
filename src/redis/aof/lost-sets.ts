// Sets of append-only files that no capture will have whole: damaged ones, set aside, and those let go because they filled the disk. Noted for the capture that is to tell the gap.

import { readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { type Moment, momentFromDate } from '../../domain/moment.ts';
import { bytesText } from '../../domain/size.ts';
import { appendLine, isThere, syncDirectory } from '../../system/index.ts';
import { type AppendOnlyPlace, type KeptSet, keptDirectory, keptSets } from './keeper.ts';
import { bytesOf, ownFiles } from './own-bytes.ts';

export interface LostSet {
  readonly at: string;
  readonly id: string;
  /** Of its base: what follows a set of a smaller one and is of a larger one does not follow it any more. */
  readonly sequence: number;
  readonly why: string;
}

const SET_ASIDE = path.join('.holdfast', 'aof-set-aside');
const NOTES = 'lost.jsonl';

export function setAsideDirectory({ dataDirectory }: AppendOnlyPlace): string {
  return path.join(dataDirectory, SET_ASIDE);
}

/** A damaged set, for people: it must not stand in the way of all captures to come. May be called again after it was killed. */
export async function setAside(place: AppendOnlyPlace, set: KeptSet, why: string): Promise<void> {
  await note(place, lostOf(set.id, set.base.sequence, why));
  await rename(set.directory, await freeName(path.join(setAsideDirectory(place), set.id)));
  await syncDirectory(setAsideDirectory(place));
  await syncDirectory(keptDirectory(place));
}

/**
 * True when the file, damaged, is one that a set has which was set aside already, so that it stays there: this set loses its names of it and of what
 * follows, and is whole up to there.
 */
export async function letGoShared(place: AppendOnlyPlace, set: KeptSet, file: unknown): Promise<boolean> {
  const from = set.incrementals.findIndex(({ name }) => name === file);
  if (from < 0) return false;
  const aside = new Set<bigint>();
  for (const id of await setAsideIds(place)) {
    const directory = path.join(setAsideDirectory(place), id);
    for (const name of await readdir(directory))
      aside.add((await stat(path.join(directory, name), { bigint: true })).ino);
  }
  const rest = set.incrementals.slice(from);
  if (!rest.every(({ name }) => aside.has(set.inodes.get(name) ?? -1n))) return false;
  // The last first: killed in between, what is left is damaged where it was.
  for (const { name } of rest.reverse()) await rm(path.join(set.directory, name));
  await syncDirectory(set.directory);
  return true;
}

/** An inode and a number may come again after a restore. */
async function freeName(wanted: string): Promise<string> {
  let name = wanted;
  for (let number = 1; await isThere(name); number++) name = `${wanted}.${number}`;
  return name;
}

/**
 * What the server has discarded and only we keep may take at most half of what would be free without it: the oldest goes first, what is set aside
 * before all. Gives what went.
 */
export async function keepRoom(place: AppendOnlyPlace, presentId: string): Promise<readonly LostSet[]> {
  const gone: LostSet[] = [];
  const sets = await keptSets(place);
  const aside = (await setAsideIds(place)).map((id) => ({
    directory: path.join(setAsideDirectory(place), id),
    ...{ id, sequence: Number(/\.(\d+)\.base/.exec(id)?.[1] ?? 0), what: ' that were set aside' },
  }));
  const waiting = sets.map(({ id, directory, base }) => ({ directory, id, sequence: base.sequence, what: '' }));
  const all = [...aside, ...waiting];
  const present = path.join(keptDirectory(place), presentId);
  let files = (await ownFiles(all.map(({ directory }) => directory))).filter(
    (each) => !each.directories.includes(present),
  );
  let freeBytes = await free(place);
  for (const { directory, id, sequence, what } of all) {
    if (bytesOf(files) <= freeBytes) break;
    const left = files
      .map((file) => ({ ...file, directories: file.directories.filter((each) => each !== directory) }))
      .filter(({ directories }) => directories.length > 0);
    const size = bytesOf(files) - bytesOf(left);
    if (size === 0 || id === presentId) continue;
    const lost = lostOf(id, sequence, `${bytesText(size)}${what} were let go: the disk is nearly full`);
    await remove(place, directory, lost);
    gone.push(lost);
    [files, freeBytes] = [left, freeBytes + size];
  }
  return gone;
}

/** Noted first; on a disk that has no room even for the note, the base makes it: without it the rest is no set, and is looked for no more. */
async function remove(place: AppendOnlyPlace, directory: string, lost: LostSet): Promise<void> {
  try {
    await note(place, lost);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    for (const name of await readdir(directory)) if (name.includes('.base.')) await rm(path.join(directory, name));
    await note(place, lost);
  }
  await rm(directory, { recursive: true });
}

/** Since the beginning of the last capture, which has told those before. */
export async function lostSets(place: AppendOnlyPlace, since: Moment | undefined): Promise<readonly LostSet[]> {
  const text = await readFile(path.join(setAsideDirectory(place), NOTES), 'utf8').catch(noText);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LostSet)
    .filter(({ at }) => since === undefined || momentFromDate(new Date(at)) >= since);
}

export async function setAsideIds(place: AppendOnlyPlace): Promise<readonly string[]> {
  const names = await readdir(setAsideDirectory(place)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw error;
  });
  return names.filter((name) => name !== NOTES).sort();
}

export async function free({ dataDirectory }: AppendOnlyPlace): Promise<number> {
  const { bavail, bsize } = await statfs(dataDirectory);
  return bavail * bsize;
}

const lostOf = (id: string, sequence: number, why: string): LostSet => ({
  ...{ at: new Date().toISOString(), id, sequence, why },
});

/** On the disk before anything goes: a gap that is told twice does no harm, one that is not told does. */
async function note(place: AppendOnlyPlace, lost: LostSet): Promise<void> {
  await appendLine(path.join(setAsideDirectory(place), NOTES), JSON.stringify(lost));
}

function noText(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}
