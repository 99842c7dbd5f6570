// Where a mirror lies, here or behind SSH, and the mark in it that says whose it is: what carries none of ours is never deleted from.

import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { MirrorState } from '../../domain/mirror.ts';
import type { Moment } from '../../domain/moment.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { syncDirectory } from '../../system/index.ts';
import { type RemoteHost, remoteOptions } from '../rsync/remote.ts';
import { runRsync } from '../rsync/run-rsync.ts';

export const MARK = 'holdfast-mirror.json';
const FORMAT = 1;

export interface MirrorMark {
  readonly estate: string;
  readonly component: string;
  readonly state: MirrorState;
  readonly startedAt: Moment;
  readonly asOf?: Moment;
}

export interface MirrorTarget {
  /** Absolute. */
  readonly directory: string;
  readonly remote?: RemoteHost;
}

export function targetText({ directory, remote }: MirrorTarget): string {
  return remote ? `${remote.ssh}:${directory}` : directory;
}

/** The mark that is there; undefined for a directory that is empty. Throws `TARGET_UNFIT` for one that holds anything else, or that another component has. */
export async function readMark(
  target: MirrorTarget,
  own: Pick<MirrorMark, 'estate' | 'component'>,
  scratch: string,
  signal: AbortSignal,
): Promise<MirrorMark | undefined> {
  const text = await markText(target, scratch, signal);
  if (text === undefined) {
    await requireEmpty(target, signal);
    return undefined;
  }
  const mark = parseMark(text, target);
  if (mark.estate === own.estate && mark.component === own.component) return mark;
  return fail('TARGET_UNFIT', `'${targetText(target)}' is the mirror of ${mark.component} of '${mark.estate}'`, {
    hint: 'give every mirror a directory of its own',
  });
}

function parseMark(text: string, target: MirrorTarget): MirrorMark {
  try {
    const { format, ...mark } = JSON.parse(text) as MirrorMark & { readonly format: number };
    if (format === FORMAT && typeof mark.estate === 'string' && typeof mark.component === 'string') return mark;
  } catch {}
  return fail('TARGET_UNFIT', `'${MARK}' in '${targetText(target)}' does not say whose mirror that is`, {
    hint: 'look at it; a directory that is nobody’s can be emptied by hand',
  });
}

async function markText(
  { directory, remote }: MirrorTarget,
  scratch: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!remote) return await textOf(path.join(directory, MARK));
  const copy = path.join(scratch, `${MARK}.read`);
  await rm(copy, { force: true });
  try {
    await runRsync([...remoteOptions(remote), `${remote.ssh}:${directory}/${MARK}`, copy], {
      what: `'${remote.ssh}'`,
      signal,
    });
  } catch (error) {
    if (isHoldfastError(error, 'RSYNC_INCOMPLETE') && isAbsence(error.message)) return undefined;
    throw error;
  }
  return await textOf(copy);
}

/** Only the words of the other side tell an absence from anything else; they are the C library's own. */
function isAbsence(words: string): boolean {
  return /No such file or directory/.test(words) && !/Permission denied|Input\/output error/.test(words);
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw error;
  }
}

async function requireEmpty(target: MirrorTarget, signal: AbortSignal): Promise<void> {
  const names = await namesIn(target, signal);
  if (names.length === 0) return;
  fail('TARGET_UNFIT', `'${targetText(target)}' is not empty and no mirror of ours: '${names[0]}' lies there`, {
    hint: 'name a directory of its own, that is empty: what is not in the roots would be deleted from it',
  });
}

async function namesIn({ directory, remote }: MirrorTarget, signal: AbortSignal): Promise<readonly string[]> {
  if (!remote) return await namesHere(directory);
  const args = ['--dirs', '--list-only', ...remoteOptions(remote), `${remote.ssh}:${directory}/`];
  try {
    const { stdout } = await runRsync(args, { what: `'${remote.ssh}'`, signal });
    const lines = stdout.split('\n').filter((line) => /^[-dlpscbD][-rwxsStT]{9}/.test(line));
    return lines.map((line) => line.replace(/^\S+\s+\S+\s+\S+\s+\S+ /, '')).filter((name) => name !== '.');
  } catch (error) {
    if (!isHoldfastError(error, 'RSYNC_INCOMPLETE')) throw error;
    return fail('TARGET_UNFIT', `'${directory}' on '${remote.ssh}' cannot be looked at: ${error.message}`, {
      hint: `make it there, for that user alone: mkdir -m 700 ${directory}`,
      cause: error,
    });
  }
}

/** It is not made: where a disk is not mounted, another one would be filled. */
async function namesHere(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    return fail('TARGET_UNFIT', `'${directory}' cannot be looked at: ${code ?? message}`, {
      hint: `is its disk mounted? A new one is made by hand: mkdir -m 700 ${directory}`,
      cause,
    });
  }
}

/** On the disk when it resolves, as far as the other side’s rsync says so. */
export async function writeMark(
  { directory, remote }: MirrorTarget,
  mark: MirrorMark,
  scratch: string,
  signal: AbortSignal,
): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, ...mark })}\n`;
  if (!remote) {
    await replaceFile(path.join(directory, MARK), text);
    return;
  }
  const copy = path.join(scratch, MARK);
  await replaceFile(copy, text);
  const args = ['--checksum', '--times', ...remoteOptions(remote), copy, `${remote.ssh}:${directory}/${MARK}`];
  await runRsync(args, { what: `'${remote.ssh}'`, signal });
}

/** Whole and on the disk, or as it was before. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const partial = `${file}.part`;
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(partial, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, file);
  await syncDirectory(path.dirname(file));
}
