// A snapshot into the data directory of a stopped server: staged and proven there, exchanged by renames, kept until somebody confirms.

import { chown, link, mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Moment } from '../../domain/moment.ts';
import { fail, HoldfastError, toHoldfastError } from '../../errors/index.ts';
import { holdLock } from '../../process/index.ts';
import { isThere, syncDirectory, syncFileSystemOf } from '../../system/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import type { Comparison } from '../throwaway/compare.ts';
import { proveRdb } from '../throwaway/prove.ts';
import { findTools } from '../tools.ts';
import { RDB_FILE } from '../types.ts';
import { requireUnused, untilUnused } from './directory-in-use.ts';
import { type ExchangedName, exchange, undoExchange } from './exchange.ts';
import { fetchRdb, storedDetails } from './fetch.ts';
import { RestoreJournal } from './journal.ts';

type Step = 'stage' | 'stop' | 'exchange' | 'start' | 'confirm' | 'rollback';

/** How the server of the directory is stopped and started. */
export interface ServerService {
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** What the server calls its files, as its configuration says. */
export interface DataLayout {
  readonly rdbFile: string;
  readonly appendDirectory: string;
  readonly appendFile: string;
  /** What it reads at its start: the append-only directory instead of the RDB. */
  readonly isAppendOnly: boolean;
}

export interface InPlace {
  /** Absolute. */
  readonly dataDirectory: string;
  /** Names the directory of the run in it. */
  readonly run: string;
  readonly layout: DataLayout;
  /** Absent: somebody has stopped the server and will start it. */
  readonly service?: ServerService;
  /** Throws when this run may not go on; asked right before every step that destroys. */
  readonly check?: () => Promise<void>;
  readonly signal: AbortSignal;
}

export interface RestoreInPlaceOptions extends InPlace {
  readonly vault: Vault;
  readonly snapshot: SnapshotOnCopies;
  readonly from?: string;
  readonly moment?: Moment;
  readonly programs?: string;
  readonly onProgress?: (words: string) => void;
}

const HOLDFAST = '.holdfast';

/**
 * Throws what refuses it before anything is touched (`TARGET_UNFIT`, `NO_SPACE`, `JOURNAL_STATE`, …); `ROLLED_BACK` when the server did not start with
 * it and everything is as before; `STUCK` when not even that could be done. May be called again after it was killed.
 */
export async function restoreInPlace(options: RestoreInPlaceOptions): Promise<Comparison> {
  await requireNoOther(options);
  return await locked(options, async (journal) => {
    if (journal.hasBegun('rollback') || journal.hasBegun('confirm')) {
      fail('JOURNAL_STATE', 'this restore was confirmed or rolled back, or is about to be');
    }
    if (options.service === undefined && !journal.hasBegun('exchange')) await requireUnused(options.dataDirectory);
    await stage(options, journal);
    const staged = journal.dataOf('stage') as unknown as Staged;
    try {
      await bringIn(options, journal, staged);
    } catch (error) {
      if (!journal.hasBegun('stop')) throw error;
      await giveUp(options, journal, error);
    }
    return staged.comparison;
  });
}

/** Everything as it was before. May be called again after it was killed. */
export async function rollbackInPlace(place: InPlace): Promise<void> {
  await locked(place, async (journal) => {
    if (journal.hasBegun('confirm')) fail('JOURNAL_STATE', 'this restore was confirmed: what was kept is gone');
    await journal.step('rollback', () => putBack(place, journal));
  });
}

/** Removes what was kept; there is no way back afterwards. */
export async function confirmInPlace(place: InPlace): Promise<void> {
  await locked(place, async (journal) => {
    if (journal.hasBegun('rollback')) fail('JOURNAL_STATE', 'this restore was rolled back, or is about to be');
    // Until the server was started, nothing has shown that the new data can take the place of the old.
    if (!journal.isDone('start')) fail('JOURNAL_STATE', 'this restore did not come to its end');
    await journal.step('confirm', async () => {
      for (const name of ['old', 'new'])
        await rm(path.join(runDirectory(place), name), { recursive: true, force: true });
      await syncDirectory(runDirectory(place));
    });
  });
}

interface Staged {
  readonly names: readonly ExchangedName[];
  readonly comparison: Comparison;
}

const runDirectory = ({ dataDirectory, run }: InPlace) => path.join(dataDirectory, HOLDFAST, run);
const placeOf = (place: InPlace, { names }: Pick<Staged, 'names'>) => ({
  root: place.dataDirectory,
  staged: path.join(runDirectory(place), 'new'),
  kept: path.join(runDirectory(place), 'old'),
  names,
});

async function locked<T>(place: InPlace, work: (journal: RestoreJournal<Step>) => Promise<T>): Promise<T> {
  if (!(await isThere(place.dataDirectory))) {
    fail('TARGET_UNFIT', `there is no directory '${place.dataDirectory}'`, {
      hint: 'make it, with the owner that the server runs as, or restore beside',
    });
  }
  await mkdir(runDirectory(place), { recursive: true, mode: 0o700 });
  const lock = await holdLock(path.join(place.dataDirectory, HOLDFAST, 'lock'), { signal: place.signal });
  try {
    return await work(await RestoreJournal.open<Step>(path.join(runDirectory(place), 'journal.jsonl')));
  } finally {
    await lock.release();
  }
}

/** One change of a directory at a time: undoing two in the wrong order would mix them. */
async function requireNoOther({ dataDirectory, run }: InPlace): Promise<void> {
  const place = path.join(dataDirectory, HOLDFAST);
  const names = (await isThere(place)) ? await readdir(place) : [];
  for (const name of names) {
    if (name === run || name === 'lock') continue;
    const journal = await RestoreJournal.open<Step>(path.join(place, name, 'journal.jsonl'));
    if (!journal.hasBegun('stop') || journal.isDone('confirm') || journal.isDone('rollback')) continue;
    fail('JOURNAL_STATE', `run '${name}' has changed '${dataDirectory}' and was neither confirmed nor rolled back`, {
      hint: `\`holdfast confirm ${name}\` or \`holdfast rollback ${name}\` first`,
    });
  }
}

async function stage(options: RestoreInPlaceOptions, journal: RestoreJournal<Step>): Promise<void> {
  const { snapshot, dataDirectory, layout, programs, signal, onProgress } = options;
  const { server } = storedDetails(snapshot);
  const tools = await findTools(server, programs === undefined ? {} : { programs });
  const directory = path.join(runDirectory(options), 'new');
  await journal.step('stage', async () => {
    onProgress?.('fetching the snapshot and loading it into a throwaway server');
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { uid, gid, mode } = await stat(dataDirectory);
    const owner = { uid, gid };
    const facts = await fetchRdb(options, { directory, tools, owner, signal });
    const comparison = await proveRdb({ tools, directory, facts, signal });
    if (layout.rdbFile !== RDB_FILE) {
      await link(path.join(directory, RDB_FILE), path.join(directory, layout.rdbFile)).catch(unlessThere);
      await rm(path.join(directory, RDB_FILE));
    }
    if (layout.isAppendOnly) await writeAppendOnly(directory, layout, { ...owner, mode });
    await syncWhole(directory);
    const names = [
      { name: layout.rdbFile, comesIn: true },
      { name: layout.appendDirectory, comesIn: layout.isAppendOnly },
    ];
    return { names, comparison };
  });
}

/** What an append-only server reads at its start: without it, it would start empty, whatever RDB there is. */
async function writeAppendOnly(
  directory: string,
  { rdbFile, appendDirectory, appendFile }: DataLayout,
  { uid, gid, mode }: { readonly uid: number; readonly gid: number; readonly mode: number },
): Promise<void> {
  const place = path.join(directory, appendDirectory);
  const base = `${appendFile}.1.base.rdb`;
  const manifest = path.join(place, `${appendFile}.manifest`);
  await mkdir(place, { recursive: true, mode });
  await link(path.join(directory, rdbFile), path.join(place, base)).catch(unlessThere);
  await writeFile(manifest, `file ${base} seq 1 type b\n`, { mode: 0o600 });
  for (const name of [place, manifest]) await chown(name, uid, gid);
  await syncDirectory(place);
}

async function bringIn(options: RestoreInPlaceOptions, journal: RestoreJournal<Step>, staged: Staged): Promise<void> {
  const { service, dataDirectory, check, onProgress } = options;
  onProgress?.('exchanging the data directory');
  await check?.();
  await journal.step('stop', async () => {
    await stopped(service, dataDirectory);
  });
  await journal.step('exchange', async () => {
    await check?.();
    // A manager may have started it again since the last attempt.
    await requireUnused(dataDirectory);
    await exchange(placeOf(options, staged));
  });
  await journal.step('start', async () => await service?.start());
}

/** What its manager says is not believed: the directory tells. */
async function stopped(service: ServerService | undefined, dataDirectory: string): Promise<void> {
  await service?.stop();
  if (service === undefined) await requireUnused(dataDirectory);
  else await untilUnused(dataDirectory);
}

async function putBack(place: InPlace, journal: RestoreJournal<Step>): Promise<void> {
  const staged = journal.dataOf('stage') as unknown as Staged | undefined;
  const { service, dataDirectory, check } = place;
  if (staged === undefined || !journal.hasBegun('stop')) return;
  await check?.();
  await stopped(service, dataDirectory);
  if (journal.hasBegun('exchange')) await undoExchange(placeOf(place, staged));
  await service?.start();
}

async function giveUp(options: InPlace, journal: RestoreJournal<Step>, cause: unknown): Promise<never> {
  const { message } = toHoldfastError(cause);
  try {
    const place = { ...options, signal: new AbortController().signal };
    await journal.step('rollback', () => putBack(place, journal));
  } catch (error) {
    const why = toHoldfastError(error).message;
    throw new HoldfastError('STUCK', `the restore failed (${message}), and putting the data back failed too: ${why}`, {
      cause: error,
      hint: `what was there lies below '${path.join(runDirectory(options), 'old')}'; mend the reason, then roll back again`,
    });
  }
  throw new HoldfastError('ROLLED_BACK', `the restore failed and the directory is as before: ${message}`, { cause });
}

async function syncWhole(directory: string): Promise<void> {
  const place = await open(directory);
  try {
    await syncFileSystemOf(place.fd);
  } finally {
    await place.close();
  }
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
