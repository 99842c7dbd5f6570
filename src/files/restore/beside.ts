// A tree beside what is there: into a directory that is empty or not there, marked as unfinished until everything is on the disk.

import { lstat, mkdir, open, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { syncDirectory } from '../../system/index.ts';
import type { SnapshotReader } from '../../vault/index.ts';
import type { Selection } from './select.ts';
import { type WrittenTree, writeTree } from './write-tree.ts';

/** Names the run whose tree is not whole yet. Beside nothing else in the directory: what has it can be removed. */
export const UNFINISHED = '.holdfast-unfinished';

export type BesideState =
  | { readonly state: 'absent' }
  | { readonly state: 'empty' }
  | { readonly state: 'unfinished'; readonly run: string; readonly made: boolean }
  | { readonly state: 'occupied' };

/** Throws what the system says of a place that cannot be looked at. */
export async function besideState(directory: string): Promise<BesideState> {
  const seen = await lstat(directory).catch(absent);
  if (seen === undefined) return { state: 'absent' };
  if (!seen.isDirectory()) return { state: 'occupied' };
  const mark = await readFile(path.join(directory, UNFINISHED), 'utf8').catch(absent);
  const names = await readdir(directory);
  // A mark that was cut off is of somebody who had done nothing yet.
  if (mark === '' && names.length === 1) return { state: 'empty' };
  if (mark !== undefined) {
    const [run = '', made] = mark.trimEnd().split('\n');
    return { state: 'unfinished', run, made: made === 'made' };
  }
  return names.length === 0 ? { state: 'empty' } : { state: 'occupied' };
}

export interface BesideOptions {
  readonly reader: SnapshotReader;
  /** Absolute. */
  readonly directory: string;
  readonly run: string;
  readonly selection: Selection;
  readonly onProgress?: (done: { readonly files: number; readonly bytes: number }) => void;
  readonly signal: AbortSignal;
}

/** Resolves when everything is on the disk; the mark stays until `finishBeside`. May be called again after it was killed. Throws `TARGET_UNFIT` and as `writeTree`. */
export async function restoreBeside(options: BesideOptions): Promise<WrittenTree> {
  const { reader, directory, run, selection, signal, onProgress } = options;
  await claim(directory, run);
  return await writeTree({ reader, directory, selection, signal, ...(onProgress && { onProgress }) });
}

/** It was looked at and is whole: from now on nothing removes it. Does nothing to what is finished, or another's. */
export async function finishBeside(directory: string, run: string): Promise<void> {
  const found = await besideState(directory);
  if (found.state !== 'unfinished' || found.run !== run) return;
  await rm(path.join(directory, UNFINISHED));
  await syncDirectory(directory);
}

/** What this run has begun there is removed, and the directory where it made that too. Does nothing to what another has, or is finished. */
export async function undoBeside(directory: string, run: string): Promise<void> {
  const found = await besideState(directory);
  if (found.state !== 'unfinished' || found.run !== run) return;
  for (const name of await readdir(directory)) {
    // The mark goes last: until then it says that everything here is to be removed.
    if (name !== UNFINISHED) await rm(path.join(directory, name), { recursive: true, force: true });
  }
  await rm(path.join(directory, UNFINISHED), { force: true });
  if (found.made) await rmdir(directory);
}

async function claim(directory: string, run: string): Promise<void> {
  const found = await besideState(directory);
  if (found.state === 'unfinished' && found.run === run) return;
  if (found.state === 'occupied' || found.state === 'unfinished') {
    const what = found.state === 'occupied' ? 'is not empty' : `holds what ${found.run} has not finished`;
    fail('TARGET_UNFIT', `'${directory}' ${what}`, { hint: 'name a directory that is empty or not there' });
  }
  const isMade = found.state === 'absent';
  if (isMade) await mkdir(directory, { recursive: true, mode: 0o755 });
  await rm(path.join(directory, UNFINISHED), { force: true });
  const mark = await open(path.join(directory, UNFINISHED), 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw cause;
    return fail('TARGET_UNFIT', `'${directory}' was claimed by another restore just now`, { cause });
  });
  try {
    await mark.writeFile(`${run}\n${isMade ? 'made' : 'found'}\n`);
    await mark.sync();
  } finally {
    await mark.close();
  }
  await syncDirectory(directory);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
