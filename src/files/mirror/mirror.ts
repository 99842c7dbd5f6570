// A warm mirror: the trees as they are now, somewhere else, by rsync; nothing of it is a snapshot, and it always says of when it is.

import { mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { HeldBecause, MirrorReport, MirrorState } from '../../domain/mirror.ts';
import { type Moment, momentFromDate } from '../../domain/moment.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { holdLock } from '../../process/index.ts';
import { isEmpty } from '../capture/roots.ts';
import { remoteOptions, requireAccess, requireRsync } from '../rsync/remote.ts';
import { type RsyncDone, runRsync } from '../rsync/run-rsync.ts';
import { type TreeOptions, treeOptions } from '../rsync/tree-options.ts';
import { OWN_DIRECTORY } from '../scan/rules.ts';
import { type MirrorMark, type MirrorTarget, readMark, replaceFile, targetText, writeMark } from './target.ts';

export interface MirrorOptions extends TreeOptions {
  readonly estate: string;
  readonly component: string;
  /** Absolute. */
  readonly roots: readonly string[];
  readonly target: MirrorTarget;
  /** In rsync's own syntax. */
  readonly exclude: readonly string[];
  /** More names than this are not deleted in one run: all of them are kept then, and that is told. */
  readonly maxDelete: number;
  /** The roots were seen to have far fewer files than before: nothing is deleted. */
  readonly farFewer?: boolean;
  /** Whose attempt this is, by its name. */
  readonly run?: string;
  /** Of the host: where it is remembered of when the mirror is. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

const STATE = 'state.json';
/** Below this part of the files that were there, a disk may have gone away; the backup warns by the same. */
const FAR_FEWER = 0.5;
/** Of the trees, by their whole paths, in the target. */
const TREE = 'tree';

/** What a run is judged by: without it the next one goes by what it finds. */
export function mirrorMemory(directory: string): string {
  return path.join(directory, STATE);
}

/** What this host remembers; a mirror that it knows nothing of is `never`. Throws `TARGET_UNFIT` for a memory that cannot be read. */
export async function mirrorReport(directory: string, target: MirrorTarget): Promise<MirrorReport> {
  const to = targetText(target);
  const file = mirrorMemory(directory);
  try {
    const report = JSON.parse(await readFile(file, 'utf8')) as MirrorReport;
    // What was remembered of another place says nothing of this one.
    return report.to === to ? report : { to, state: 'never' };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { to, state: 'never' };
    return fail('TARGET_UNFIT', `'${file}' does not say of when the mirror is: ${(error as Error).message}`);
  }
}

/**
 * Resolves with what is there now; deletions that were held back are told in it. Throws `FILES_ROOT` for a root that is missing or empty: nothing was
 * touched then; `TARGET_UNFIT`, `LOCKED`, `REMOTE_UNREACHABLE`, `RSYNC_INCOMPLETE`, `NO_SPACE`, `CANCELLED`: the mirror says that it is not whole. The
 * same error as that of a run before has `again` in its details.
 */
export async function mirrorFiles(options: MirrorOptions): Promise<MirrorReport> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const lock = await holdLock(path.join(options.directory, 'lock'));
  try {
    return await new MirrorRun(options).run();
  } finally {
    await lock.release();
  }
}

class MirrorRun {
  readonly #options: MirrorOptions;
  readonly #startedAt = momentFromDate(new Date());
  /** Of the last run that deleted everything it had to; carried on until there is another. */
  #regularFiles: number | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  async run(): Promise<MirrorReport> {
    const { directory, target } = this.#options;
    const before = await mirrorReport(directory, target);
    this.#regularFiles = before.regularFiles;
    try {
      return await this.#attempt(before.asOf);
    } catch (error) {
      throw await this.#failed(before, error);
    }
  }

  async #failed({ asOf, errorCode, firstFailed }: MirrorReport, error: unknown): Promise<unknown> {
    const { run } = this.#options;
    const { code, message, hint, details } = toHoldfastError(error);
    const first = code === errorCode ? firstFailed : run;
    const about = { error: message, errorCode: code, ...(first && { firstFailed: first }) };
    // Where not even this can be written, the person has to hear why the mirror failed.
    await this.#remember('failed', asOf, about).catch(() => undefined);
    if (first === run) return error;
    return new HoldfastError(code, message, { hint, cause: error, details: { ...details, again: true } });
  }

  async #attempt(asOf: Moment | undefined): Promise<MirrorReport> {
    const { roots, target, estate, component, directory, signal } = this.#options;
    for (const root of roots) await requireFilled(root);
    await requireRsync();
    if (target.remote) await requireAccess(target.remote);
    const found = await readMark(target, { estate, component }, directory, signal);
    if (!found && asOf !== undefined) {
      fail('TARGET_UNFIT', `the mirror that was in '${targetText(target)}' is not there`, {
        hint: `is its disk mounted? If it is to begin anew, remove '${mirrorMemory(directory)}' on this host`,
      });
    }
    const before = found?.asOf ?? asOf;
    await this.#remember('running', before);
    await this.#mark('running', before);
    // In a new one there is nothing to delete.
    const { held, deletes } = found ? await this.#lookedAt() : { deletes: 0 };
    const done = await this.#copy(deletes);
    const state = done.deletionsHeldBack ? 'held back' : 'complete';
    if (state === 'complete') this.#regularFiles = done.regularFiles;
    await this.#mark(state, this.#startedAt);
    const because = state === 'held back' && { heldBecause: held ?? 'meanwhile' };
    return await this.#remember(state, this.#startedAt, { ...done, ...because });
  }

  /** Looks before anything is deleted: rsync by itself deletes up to its limit, with every run again. More than was seen then is not deleted: a disk may go away in between. */
  async #lookedAt(): Promise<{ readonly held?: HeldBecause; readonly deletes: number }> {
    const { maxDelete, farFewer } = this.#options;
    if (farFewer) return { held: 'far fewer', deletes: 0 };
    const wanted = await this.#look(maxDelete);
    if (wanted.regularFiles < (this.#regularFiles ?? 0) * FAR_FEWER) return { held: 'far fewer', deletes: 0 };
    if (wanted.deletionsHeldBack) return { held: 'too many', deletes: 0 };
    return { deletes: Math.min(maxDelete, wanted.deleted) };
  }

  async #look(maxDelete: number): Promise<RsyncDone> {
    try {
      return await this.#copy(maxDelete, ['--dry-run']);
    } catch (error) {
      // What can be read is brought all the same.
      if (isHoldfastError(error, 'RSYNC_INCOMPLETE')) await this.#copy(0);
      throw error;
    }
  }

  async #copy(maxDelete: number, how: readonly string[] = []): Promise<RsyncDone> {
    const { target, roots, exclude, signal } = this.#options;
    const place = `${target.directory}/${TREE}/`;
    const args = [
      ...how,
      ...treeOptions(this.#options),
      // Owners that cannot be given are an error, not a silence.
      '--super',
      `--max-delete=${maxDelete}`,
      ...roots.map((root) => `--exclude=${asPattern(root)}/${OWN_DIRECTORY}`),
      ...exclude.map((pattern) => `--exclude=${pattern}`),
      ...(target.remote ? remoteOptions(target.remote) : []),
    ];
    const sources = await Promise.all(
      roots.map(async (root) => ((await stat(root)).isDirectory() ? `${root}/` : root)),
    );
    const to = target.remote ? `${target.remote.ssh}:${place}` : place;
    return await runRsync([...args, '--', ...sources, to], { what: `'${targetText(target)}'`, signal });
  }

  async #mark(state: MirrorState, asOf: Moment | undefined): Promise<void> {
    const { target, estate, component, directory, signal } = this.#options;
    const mark: MirrorMark = { estate, component, state, startedAt: this.#startedAt, ...(asOf && { asOf }) };
    await writeMark(target, mark, directory, signal);
  }

  async #remember(
    state: MirrorState,
    asOf: Moment | undefined,
    done: Partial<Pick<RsyncDone, 'files' | 'deleted' | 'transferredBytes'>> &
      Pick<MirrorReport, 'error' | 'errorCode' | 'firstFailed' | 'heldBecause'> = {},
  ): Promise<MirrorReport> {
    const { target, directory } = this.#options;
    const { files, deleted, transferredBytes, error, errorCode, firstFailed, heldBecause } = done;
    const regularFiles = this.#regularFiles;
    const numbers = Object.entries({ files, deleted, transferredBytes, regularFiles }).filter(
      ([, number]) => number !== undefined,
    );
    const report: MirrorReport = {
      ...{ to: targetText(target), state, startedAt: this.#startedAt },
      ...(asOf && { asOf }),
      ...Object.fromEntries(numbers),
      ...(heldBecause && { heldBecause }),
      ...(error !== undefined && { error }),
      ...(errorCode !== undefined && { errorCode }),
      ...(firstFailed !== undefined && { firstFailed }),
    };
    await replaceFile(mirrorMemory(directory), `${JSON.stringify(report)}\n`);
    return report;
  }
}

/** A disk that is not mounted must not empty its mirror. Throws `FILES_ROOT`. */
async function requireFilled(root: string): Promise<void> {
  try {
    if (!(await isEmpty(root))) return;
  } catch (cause) {
    fail('FILES_ROOT', `the root '${root}' cannot be mirrored: ${(cause as Error).message}`, { cause });
  }
  fail('FILES_ROOT', `the root '${root}' is empty: its mirror is left as it is`, {
    hint: 'is its disk mounted? A root that is meant to be empty belongs out of the mirror, or gets a file',
  });
}

/** A path as a pattern of rsync that means just it. */
function asPattern(root: string): string {
  return /[*?[]/.test(root) ? root.replace(/[*?[\\]/g, '\\$&') : root;
}
