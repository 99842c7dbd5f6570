// A host without a worker, pulled over SSH into a tree of our own that stays between runs: only what changed travels.

import { mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { holdLock } from '../../process/index.ts';
import { getAttribute, removeAttribute, setAttribute } from '../../system/index.ts';
import { type RemoteHost, remoteOptions, requireAccess, requireRsync } from '../rsync/remote.ts';
import { type RsyncDone, runRsync } from '../rsync/run-rsync.ts';
import { type TreeOptions, treeOptions } from '../rsync/tree-options.ts';

export interface PullOptions extends TreeOptions {
  readonly remote: RemoteHost;
  /** Absolute, there. */
  readonly roots: readonly string[];
  /** Ours alone; made where it is not there. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

export interface Pulled {
  /** Below it lie the roots, by their whole paths. */
  readonly base: string;
  readonly done: RsyncDone;
}

const PROBE = 'user.holdfast.probe';

/** With the lock that keeps a second pull away while the tree is read. Throws `LOCKED`, `FENCED` when it is lost, and as `pull` does. */
export async function withPulled<T>(
  options: PullOptions,
  read: (pulled: Pulled, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const lock = await holdLock(path.join(options.directory, 'lock'));
  const lost = new AbortController();
  void lock.lost.then((error) => lost.abort(error));
  const signal = AbortSignal.any([options.signal, lost.signal]);
  try {
    return await read(await pull({ ...options, signal }), signal);
  } catch (error) {
    throw lost.signal.aborted && !options.signal.aborted ? lost.signal.reason : error;
  } finally {
    await lock.release();
  }
}

/** Throws `FILES_ROOT`, `REMOTE_UNREACHABLE`, `RSYNC_INCOMPLETE`, `TARGET_UNFIT`, `NO_SPACE`, `CANCELLED`. What came until then stays, and is not to be read. */
async function pull(options: PullOptions): Promise<Pulled> {
  const { remote, roots, directory, signal } = options;
  await requireRsync();
  await requireAccess(remote);
  const base = path.join(await realpath(directory), 'tree');
  const partial = path.join(await realpath(directory), 'partial');
  for (const each of [base, partial]) await mkdir(each, { recursive: true, mode: 0o700 });
  requireAttributes(base);
  const sources: string[] = [];
  for (const root of roots) sources.push(await sourceOf(remote, root, signal));
  const [first = '', ...others] = sources;
  const args = [
    ...treeOptions(options),
    // Attributes keep what only root could give, whoever we are.
    '--fake-super',
    `--partial-dir=${partial}`,
    ...remoteOptions(remote),
    `${remote.ssh}:${first}`,
    ...others.map((other) => `:${other}`),
    `${base}/`,
  ];
  return { base, done: await runRsync(args, { what: `'${remote.ssh}'`, signal }) };
}

/** A directory with the slash behind it that means what is in it, also where the root is a link to one. Throws `FILES_ROOT`. */
async function sourceOf(remote: RemoteHost, root: string, signal: AbortSignal): Promise<string> {
  const kind = await kindOf(remote, root, signal);
  return kind === 'directory' ? `${root}/` : root;
}

export type RemoteKind = 'directory' | 'file';

/** Throws `FILES_ROOT` when it is not there, or neither of the two. */
export async function kindOf(remote: RemoteHost, root: string, signal: AbortSignal): Promise<RemoteKind> {
  const letter = await letterOf(remote, root, signal);
  if (letter === 'd') return 'directory';
  if (letter === '-') return 'file';
  if (letter === 'l' && (await letterOf(remote, `${root}/.`, signal)) === 'd') return 'directory';
  return fail('FILES_ROOT', `the root '${root}' on '${remote.ssh}' is neither a directory nor a file`);
}

/** As rsync lists it: the first letter of its mode. */
async function letterOf(remote: RemoteHost, place: string, signal: AbortSignal): Promise<string> {
  const args = ['--dirs', '--list-only', ...remoteOptions(remote), `${remote.ssh}:${place}`];
  try {
    const { stdout } = await runRsync(args, { what: `'${remote.ssh}'`, signal });
    const line = stdout.split('\n').find((each) => /^[-dlpscbD][-rwxsStT]{9}/.test(each));
    return line?.[0] ?? '?';
  } catch (error) {
    if (!isHoldfastError(error, 'RSYNC_INCOMPLETE')) throw error;
    return fail('FILES_ROOT', `the root '${place}' on '${remote.ssh}' cannot be looked at: ${error.message}`, {
      hint: 'is its disk mounted there, and may that user read it? `pull.rsync: sudo rsync` reads as root where sudo allows it',
      cause: error,
    });
  }
}

/** Throws `TARGET_UNFIT` for a file system without attributes of users: owners and modes would be lost. */
export function requireAttributes(directory: string): void {
  try {
    setAttribute(directory, PROBE, Buffer.from('1'));
    const isKept = getAttribute(directory, PROBE)?.toString() === '1';
    removeAttribute(directory, PROBE);
    if (isKept) return;
  } catch (cause) {
    fail('TARGET_UNFIT', `'${directory}' keeps no extended attributes: ${(cause as Error).message}`, {
      hint: 'owners and modes of a pulled tree are kept in them: put `stateDirectory` of the host on a file system that has them (ext4, xfs, btrfs)',
      cause,
    });
  }
  fail('TARGET_UNFIT', `'${directory}' does not keep extended attributes`);
}
