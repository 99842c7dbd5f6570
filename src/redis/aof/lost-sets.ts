// Sets of append-only files that no capture will have whole: damaged ones, set aside, and those let go because they filled the disk. Noted for the capture that is to tell the gap.

import { readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { type Moment, momentFromDate } from '../../domain/moment.ts';
import { bytesText } from '../../domain/size.ts';
import { appendLine, syncDirectory } from '../../system/index.ts';
import { type AppendOnlyPlace, type KeptSet, keptDirectory, keptSets } from './keeper.ts';

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
  await note(place, set, why);
  await rename(set.directory, path.join(setAsideDirectory(place), set.id));
  await syncDirectory(setAsideDirectory(place));
  await syncDirectory(keptDirectory(place));
}

/**
 * What the server has discarded and only we keep may take at most half of what would be free without it: the oldest goes first, what is set aside
 * before all. Gives what went.
 */
export async function keepRoom(place: AppendOnlyPlace, presentId: string): Promise<readonly LostSet[]> {
  const gone: LostSet[] = [];
  const sets = (await keptSets(place)).filter(({ id }) => id !== presentId);
  const aside = await setAsideIds(place);
  const directories = [
    ...aside.map((id) => ({ directory: path.join(setAsideDirectory(place), id), set: undefined })),
    ...sets.map((set) => ({ directory: set.directory, set })),
  ];
  const sizes = await Promise.all(directories.map(({ directory }) => ownBytes(directory)));
  let keptBytes = sizes.reduce((sum, size) => sum + size, 0);
  let freeBytes = await free(place);
  for (const [index, { directory, set }] of directories.entries()) {
    const size = sizes[index] ?? 0;
    if (keptBytes <= freeBytes || size === 0) continue;
    const why = `${bytesText(size)} were let go: the disk is nearly full`;
    if (set !== undefined) gone.push(await note(place, set, why));
    await rm(directory, { recursive: true });
    [keptBytes, freeBytes] = [keptBytes - size, freeBytes + size];
  }
  return gone;
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

/** What would be free again without the directory: files that have no other name. */
export async function ownBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) {
    const { nlink, blocks } = await stat(path.join(directory, name));
    if (nlink === 1) bytes += blocks * 512;
  }
  return bytes;
}

export async function free({ dataDirectory }: AppendOnlyPlace): Promise<number> {
  const { bavail, bsize } = await statfs(dataDirectory);
  return bavail * bsize;
}

/** On the disk before anything goes: a gap that is told twice does no harm, one that is not told does. */
async function note(place: AppendOnlyPlace, { id, base }: KeptSet, why: string): Promise<LostSet> {
  const lost = { at: new Date().toISOString(), id, sequence: base.sequence, why };
  await appendLine(path.join(setAsideDirectory(place), NOTES), JSON.stringify(lost));
  return lost;
}

function noText(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}
