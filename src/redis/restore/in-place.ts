// A snapshot into the data directory of a stopped server: staged and proven there, exchanged by renames, kept until somebody confirms.

import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { isThere, syncDirectory } from '../../system/index.ts';
import { RedisConnection, type RedisSource } from '../connection/index.ts';
import { identify } from '../identity.ts';
import type { Comparison } from '../throwaway/compare.ts';
import { requireUnused, serversIn, untilUnused } from './directory-in-use.ts';
import { type ExchangePlace, exchange, undoExchange } from './exchange.ts';
import type { RestoreJournal } from './journal.ts';
import { requireKeptAtStop } from './kept-at-stop.ts';
import { requireLoaded, requireTaken } from './loaded-data.ts';
import { requireNoOther } from './runs-left.ts';
import { requireServerOf } from './server-place.ts';
import { type DataLayout, type Staged, type StageOptions, stageData, writeAppendOnly } from './stage.ts';
import { underLock } from './under-lock.ts';
import { untilAnswers } from './until-answers.ts';

type Step = 'stage' | 'stop' | 'exchange' | 'start' | 'confirm' | 'rollback' | 'put back';

/** How the server of the directory is stopped and started. */
export interface ServerService {
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface InPlace {
  /** Absolute. */
  readonly dataDirectory: string;
  /** Names the directory of the run in it. */
  readonly run: string;
  readonly layout: DataLayout;
  /** The server of the directory, as long as it runs. */
  readonly source: RedisSource;
  /** Absent: somebody has stopped the server and will start it. */
  readonly service?: ServerService;
  /** Throws when this run may not go on; asked right before every step that destroys. */
  readonly check?: () => Promise<void>;
  readonly signal: AbortSignal;
}

export interface RestoreInPlaceOptions extends InPlace, StageOptions {
  readonly onProgress?: (words: string) => void;
}

const HOLDFAST = '.holdfast';

/**
 * Throws what refuses it before anything is touched (`TARGET_UNFIT`, `NO_SPACE`, `JOURNAL_STATE`, …); `ROLLED_BACK` when the server did not come back
 * with it and everything is as before; `STUCK` when not even that could be done. May be called again after it was killed.
 */
export async function restoreInPlace(options: RestoreInPlaceOptions): Promise<Comparison> {
  return await locked(options, async (journal) => {
    await requireNoOther([path.join(options.dataDirectory, HOLDFAST)], options.run);
    if (journal.hasBegun('rollback') || journal.hasBegun('confirm')) {
      fail('JOURNAL_STATE', 'this restore was confirmed or rolled back, or is about to be');
    }
    if (options.service === undefined && !journal.hasBegun('exchange')) await requireUnused(options.dataDirectory);
    await journal.step('stage', () => {
      options.onProgress?.('fetching the snapshot and loading it into a throwaway server');
      return stageData(options, path.join(runDirectory(options), 'new'));
    });
    const staged = journal.dataOf('stage') as unknown as Staged;
    try {
      await bringIn(options, journal, staged);
    } catch (error) {
      if (!journal.hasBegun('stop') || isHoldfastError(error, 'FENCED')) throw error;
      await giveUp(options, journal, error);
    }
    return staged.comparison;
  });
}

/** Everything as it was before. May be called again after it was killed. */
export async function rollbackInPlace(place: InPlace): Promise<void> {
  await locked(place, async (journal) => {
    if (journal.hasBegun('confirm')) fail('JOURNAL_STATE', 'this restore was confirmed: what was kept is gone');
    journal.goBack();
    await journal.step('rollback', () => putBack(place, journal));
  });
}

/**
 * Removes what was kept; there is no way back afterwards. Throws `JOURNAL_STATE` as long as nothing shows that a server has taken what was brought
 * in, `CHECK_FAILED` when it has other data. Gives what could not be told, in words.
 */
export async function confirmInPlace(place: InPlace): Promise<readonly string[]> {
  return await locked(place, async (journal) => {
    if (journal.hasBegun('rollback')) fail('JOURNAL_STATE', 'this restore was rolled back, or is about to be');
    // Until the server was started, nothing has shown that the new data can take the place of the old.
    if (!journal.isDone('start')) fail('JOURNAL_STATE', 'this restore did not come to its end');
    const warnings = await requireCompared(place, journal);
    await journal.check();
    await journal.step('confirm', async () => {
      for (const name of ['old', 'new'])
        await rm(path.join(runDirectory(place), name), { recursive: true, force: true });
      await syncDirectory(runDirectory(place));
      return { warnings };
    });
    return warnings;
  });
}

/** Without a service the server was started by somebody, and what it reads is known only now. */
async function requireCompared({ source, service, dataDirectory }: InPlace, journal: RestoreJournal<Step>) {
  if (journal.hasBegun('confirm') || (journal.dataOf('start')?.isCompared ?? service !== undefined)) return [];
  const { facts } = journal.dataOf('stage') as unknown as Staged;
  return await requireTaken(source, facts, dataDirectory);
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
  const { check, signal } = place;
  const lock = path.join(place.dataDirectory, HOLDFAST, 'lock');
  const journal = path.join(runDirectory(place), 'journal.jsonl');
  return await underLock({ lock, journal, signal, ...(check && { check }) }, work);
}

async function bringIn(options: RestoreInPlaceOptions, journal: RestoreJournal<Step>, staged: Staged): Promise<void> {
  const { service, dataDirectory, source, layout, onProgress } = options;
  if (!journal.hasBegun('stop')) await requireOwnServer(options);
  onProgress?.('exchanging the data directory');
  await journal.check();
  await journal.step('stop', () => stopped(service, dataDirectory));
  await journal.step('exchange', async () => {
    await journal.check();
    // A manager may have started it again since the last attempt.
    if ((await serversIn(dataDirectory)).length > 0) await stopped(service, dataDirectory);
    return { absent: await exchange(placeOf(options, staged)) };
  });
  await journal.step('start', async () => {
    if (service === undefined) return { isCompared: false };
    await service.start();
    await requireLoaded(source, staged.facts, { dataDirectory, names: layout });
    return { isCompared: true };
  });
}

/** As far as it runs: one that is stopped says nothing, and what it loads afterwards is compared. */
async function requireOwnServer({ source, dataDirectory, layout }: InPlace): Promise<void> {
  let connection: RedisConnection;
  try {
    connection = await RedisConnection.open(source);
  } catch (error) {
    if (isHoldfastError(error, 'REDIS_UNREACHABLE')) return;
    throw error;
  }
  try {
    const { isAppendOnly } = layout;
    const identity = await identify(connection);
    await requireServerOf(connection, identity, { dataDirectory, names: layout, isAppendOnly });
    await requireKeptAtStop(connection, identity);
  } finally {
    connection.close();
  }
}

/** What its manager says is not believed: the directory tells. */
async function stopped(service: ServerService | undefined, dataDirectory: string): Promise<void> {
  await service?.stop();
  if (service === undefined) await requireUnused(dataDirectory);
  else await untilUnused(dataDirectory);
}

async function putBack(place: InPlace, journal: RestoreJournal<Step>): Promise<void> {
  const staged = journal.dataOf('stage') as unknown as Staged | undefined;
  const { service, dataDirectory, source } = place;
  if (staged === undefined || !journal.hasBegun('stop')) {
    // A whole copy of the data that nobody ever saw.
    await rm(path.join(runDirectory(place), 'new'), { recursive: true, force: true });
    return;
  }
  // Once: what runs on it afterwards is production, which makes files of its own.
  await journal.step('put back', async () => {
    await journal.check();
    await stopped(service, dataDirectory);
    if (!journal.hasBegun('exchange')) return;
    const absent = journal.dataOf('exchange')?.absent as readonly string[] | undefined;
    const exchanged = placeOf(place, staged);
    await undoExchange({ ...exchanged, ...(absent && { absent }) });
    await withWhatItReadsNow(place, exchanged);
  });
  if ((await serversIn(dataDirectory)).length === 0) await service?.start();
  // One that an attempt before this one has started, or its manager, may load its data yet, or end while it does.
  else if (service !== undefined) await untilAnswers(source);
}

/** A server that has turned to append-only files since reads nothing else at its start, and would come back empty and write over its RDB. */
async function withWhatItReadsNow({ dataDirectory, layout }: InPlace, { root, staged, names }: ExchangePlace) {
  const { appendDirectory, rdbFile } = layout;
  const cameIn = names.some(({ name, comesIn }) => name === appendDirectory && comesIn);
  if (cameIn || !(await isThere(staged))) return;
  const hasTurned = (await readdir(staged)).some((name) => name.split('.')[0] === appendDirectory);
  const isBack = await isThere(path.join(root, appendDirectory));
  if (!hasTurned || isBack || !(await isThere(path.join(root, rdbFile)))) return;
  await writeAppendOnly(root, layout, await stat(dataDirectory));
}

async function giveUp(options: InPlace, journal: RestoreJournal<Step>, cause: unknown): Promise<never> {
  const { message } = toHoldfastError(cause);
  journal.goBack();
  try {
    await journal.step('rollback', () => putBack(options, journal));
  } catch (error) {
    if (isHoldfastError(error, 'FENCED')) throw error;
    const why = toHoldfastError(error).message;
    throw new HoldfastError('STUCK', `the restore failed (${message}), and putting the data back failed too: ${why}`, {
      cause: error,
      hint: `what was there lies below '${path.join(runDirectory(options), 'old')}'; mend the reason, then roll back again`,
    });
  }
  throw new HoldfastError('ROLLED_BACK', `the restore failed and the directory is as before: ${message}`, {
    cause,
    hint: `what was brought in, and what came since, lies below '${path.join(runDirectory(options), 'new')}'; nobody but you removes it`,
  });
}
