// The whole history in one file: made, proven by cloning from it, and brought out of a snapshot.

import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fail } from '../../errors/index.ts';
import type { SnapshotReader, TreeEntry } from '../../vault/index.ts';
import { BUNDLE } from '../own-entries.ts';
import { type Git, initRepository } from './git.ts';

export const MAIN = 'refs/heads/main';

/** Of everything that `main` of `git` reaches. */
export async function makeBundle(git: Git, file: string): Promise<void> {
  await git.ask(['bundle', 'create', '--quiet', '--version=2', file, MAIN]);
}

/**
 * Throws `BACKUP_INVALID` unless a repository that has nothing gets just this commit, with all that it reaches, out of the file. An exit status
 * of the program that wrote it is no proof.
 */
export async function proveBundle(
  file: string,
  commit: string,
  workDirectory: string,
  signal: AbortSignal,
): Promise<void> {
  const clone = await initRepository(path.join(workDirectory, 'clone.git'), signal);
  const verified = await clone.try(['bundle', 'verify', '--quiet', file]);
  if (verified.exitCode !== 0) fail('BACKUP_INVALID', `git does not verify the bundle: ${verified.stderrTail}`);
  const fetched = await clone.try(['fetch', '--quiet', '--no-tags', file, `${MAIN}:${MAIN}`]);
  if (fetched.exitCode !== 0) fail('BACKUP_INVALID', `nothing can be cloned from the bundle: ${fetched.stderrTail}`);
  const cloned = await clone.commitOf(MAIN);
  if (cloned !== commit) {
    fail('BACKUP_INVALID', `the bundle holds the commit '${cloned ?? 'none'}' instead of '${commit}'`);
  }
}

/** Writes the bundle of a snapshot to a file. Throws `OBJECT_MISSING` for a snapshot without one, and what the vault says. */
export async function takeBundle(reader: SnapshotReader, file: string): Promise<TreeEntry> {
  for await (const entry of reader.entries()) {
    if (entry.path !== BUNDLE) continue;
    await pipeline(reader.read(entry), createWriteStream(file, { mode: 0o600 }));
    return entry;
  }
  return fail('OBJECT_MISSING', `the snapshot '${reader.snapshot.id}' has no bundle`);
}

/** Of a commit that `main` does not reach: keeps it. */
export function keeperOf(commit: string): string {
  return `refs/holdfast/commits/${commit}`;
}

/**
 * Gets the commit into the repository, with all that it reaches, under a name of its own that keeps it. `from`: a bundle, of which all is stored, whatever is there
 * already, or a repository, of which only what is new is.
 */
export async function fetchCommit(git: Git, from: string, commit: string): Promise<void> {
  const keeper = keeperOf(commit);
  await git.ask(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', from, `+${MAIN}:${keeper}`]);
  const got = await git.commitOf(keeper);
  if (got !== commit)
    fail('OBJECT_DAMAGED', `what was fetched holds the commit '${got ?? 'none'}' instead of '${commit}'`);
}
