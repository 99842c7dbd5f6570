// The repository of a component as its next commit needs it: whole, and with everything that snapshots of the vault say of it.

import { lstat, rename } from 'node:fs/promises';
import path from 'node:path';
import { isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { processError } from '../../process/index.ts';
import { isThere, syncDirectory } from '../../system/index.ts';
import type { Snapshot, Vault } from '../../vault/index.ts';
import type { Place } from '../place.ts';
import type { ConfigurationDetails } from '../types.ts';
import { fetchCommit, keeperOf, MAIN, takeBundle } from './bundle.ts';
import { Git, initRepository } from './git.ts';
import { keepPacked } from './keep-packed.ts';

export interface OpenedRepository {
  readonly git: Git;
  /** Of `main`; absent before the first commit. */
  readonly main?: string;
  /** The newest snapshot's commit, where `main` has gone another way: the next commit goes on from both. */
  readonly other?: string;
  /** In words, when older history could not be had. */
  readonly begunAnew?: string;
  /** In words, what was mended. */
  readonly mended: readonly string[];
}

export interface OpenOptions {
  readonly place: Place;
  readonly vault: Vault;
  /** Of the component, newest first. */
  readonly snapshots: readonly Snapshot[];
  readonly workDirectory: string;
  readonly signal: AbortSignal;
}

/** The lock must be held. Throws when it cannot be told whether there is a repository, or whether a bundle can be read, `CANCELLED`, `PROGRAM_MISSING`. */
export async function openRepository(options: OpenOptions): Promise<OpenedRepository> {
  const mended: string[] = [];
  const git = await soundRepository(options, mended);
  const untold: string[] = [];
  for (const snapshot of options.snapshots) {
    const commit = commitOf(snapshot);
    try {
      await haveCommit(git, options, snapshot, commit);
    } catch (error) {
      if (!saysUnreadable(error)) throw error;
      untold.push(`'${snapshot.id}': ${toHoldfastError(error).message}`);
      continue;
    }
    const main = await goForward(git, commit);
    return { git, main, mended, ...(main !== commit && !(await git.isAncestor(commit, main)) && { other: commit }) };
  }
  const main = await git.commitOf(MAIN);
  if (main !== undefined || options.snapshots.length === 0) return { git, mended, ...(main !== undefined && { main }) };
  const begunAnew = `no bundle of an older snapshot can be read: ${untold.slice(0, 3).join('; ')}`;
  return { git, mended, begunAnew };
}

export function commitOf({ engine }: Snapshot): string {
  return (engine as unknown as ConfigurationDetails).repository.commit;
}

/** Makes sure that the repository has the commit of a snapshot, out of its bundle if need be. */
export async function haveCommit(
  git: Git,
  { vault, workDirectory }: Pick<OpenOptions, 'vault' | 'workDirectory'>,
  { id }: Snapshot,
  commit: string,
): Promise<void> {
  if (await has(git, commit)) return;
  const file = path.join(workDirectory, `${id}.bundle`);
  const reader = await vault.openSnapshot(id);
  try {
    await takeBundle(reader, file);
  } finally {
    reader.close();
  }
  await fetchCommit(git, file, commit);
}

/** `main` becomes the commit where that is forward; what it is then. A move by somebody else is refused by Git and looked at again next time. */
export async function goForward(git: Git, commit: string): Promise<string> {
  const main = await git.commitOf(MAIN);
  if (main !== undefined && main !== commit && !(await git.isAncestor(main, commit))) return main;
  if (main !== commit) await git.ask(['update-ref', '-m', 'snapshot', MAIN, commit, main ?? '0'.repeat(40)]);
  await git.try(['update-ref', '-d', keeperOf(commit)]);
  return commit;
}

async function has(git: Git, commit: string): Promise<boolean> {
  const { exitCode } = await git.try(['cat-file', '-e', `${commit}^{commit}`]);
  return exitCode === 0;
}

/** One that is damaged is put aside, never removed: it may hold what no bundle has. */
async function soundRepository({ place, signal }: OpenOptions, mended: string[]): Promise<Git> {
  if (!(await isThere(place.repository))) return await initRepository(place.repository, signal);
  const git = new Git(place.repository, signal);
  const problem = await problemOf(git);
  if (problem === undefined) {
    const unpacked = await keepPacked(git);
    if (unpacked !== undefined) mended.push(`the repository is of many files, and could not be packed: ${unpacked}`);
    return git;
  }
  const aside = `${place.repository}.damaged-${Math.floor((await lstat(place.repository)).mtimeMs)}-${process.pid}`;
  await rename(place.repository, aside);
  await syncDirectory(place.directory);
  mended.push(`the repository was damaged (${problem}) and is put aside as '${aside}'`);
  return await initRepository(place.repository, signal);
}

/** Throws when Git could not say it: a busy host, or one without memory, makes nothing damaged. */
async function problemOf(git: Git): Promise<string | undefined> {
  const checked = await git.try(['fsck', '--connectivity-only', '--no-dangling', '--no-progress']);
  if (checked.timedOut || checked.exitCode === undefined) throw processError(checked);
  if (checked.exitCode === 0) return undefined;
  return checked.stderrTail.split('\n').at(-1) || `git fsck ended with ${checked.exitCode}`;
}

/** What a full disk or a short memory makes Git say says nothing of the bundle. */
const OF_THIS_HOST =
  /No space left on device|Disk quota exceeded|Cannot allocate memory|Out of memory|Too many open files/i;

/** Whether a bundle cannot be read by itself: a history must not begin anew because a store stumbles. */
function saysUnreadable(error: unknown): boolean {
  if (isHoldfastError(error, 'OBJECT_MISSING', 'OBJECT_DAMAGED', 'NOT_FOUND')) return true;
  if (!isHoldfastError(error, 'PROCESS_FAILED')) return false;
  const { exitCode, stderrTail } = error.details ?? {};
  return typeof exitCode === 'number' && !OF_THIS_HOST.test(String(stderrTail));
}
