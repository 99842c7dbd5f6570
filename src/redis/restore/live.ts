// A live restore: the running server takes a snapshot as a replica takes its primary's data; what it had is kept until somebody confirms.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Moment } from '../../domain/moment.ts';
import { fail, HoldfastError, toHoldfastError } from '../../errors/index.ts';
import { type HeldLock, holdLock } from '../../process/index.ts';
import { syncDirectory } from '../../system/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import { RedisConnection, type RedisSource } from '../connection/index.ts';
import type { RdbFacts } from '../rdb/index.ts';
import { type Comparison, compareWithFacts } from '../throwaway/compare.ts';
import { proveRdb, requireSame } from '../throwaway/prove.ts';
import { findTools, type RedisTools } from '../tools.ts';
import { RDB_FILE } from '../types.ts';
import { fetchRdb, storedDetails } from './fetch.ts';
import { RestoreJournal } from './journal.ts';
import { keepData, paused, replaceData, requireLiveFit } from './live-server.ts';
import { requireReadable } from './readable.ts';

type Step = 'begin' | 'prepare' | 'keep' | 'replace' | 'verify' | 'confirm' | 'rollback';

export interface LivePlace {
  /** Absolute; of this run alone. The journal, the snapshot and what is kept lie below it. */
  readonly directory: string;
  readonly source: RedisSource;
  readonly programs?: string;
  /** Throws when this run may not go on; asked right before every step that destroys. */
  readonly check?: () => Promise<void>;
  readonly signal: AbortSignal;
}

export interface RestoreLiveOptions extends LivePlace {
  readonly vault: Vault;
  readonly snapshot: SnapshotOnCopies;
  readonly from?: string;
  readonly moment?: Moment;
  /** Run id of the server that the plan saw. */
  readonly runId: string;
  readonly onProgress?: (words: string) => void;
}

/**
 * Throws what refuses it before anything is touched (`REDIS_UNFIT`, `REDIS_IDENTITY`, `NO_SPACE`, `TOOL_VERSION`, …); `ROLLED_BACK` when it failed
 * and everything is as before; `STUCK` when not even that could be done. May be called again after it was killed.
 */
export async function restoreLive(options: RestoreLiveOptions): Promise<Comparison> {
  return await locked(options, async (journal) => {
    if (journal.hasBegun('rollback') || journal.hasBegun('confirm')) {
      fail('JOURNAL_STATE', 'this restore was confirmed or rolled back, or is about to be');
    }
    return await new LiveRestore(options, journal).run();
  });
}

/** Puts back what was kept. What the server has by now is kept too, as `replaced`. */
export async function rollbackLive(place: LivePlace): Promise<void> {
  await locked(place, async (journal) => {
    if (journal.hasBegun('confirm')) fail('JOURNAL_STATE', 'this restore was confirmed: what was kept is gone');
    if (!journal.hasBegun('replace')) return await journal.step('rollback', () => forget(place, ['new', 'kept']));
    await journal.step('rollback', () => putBack(place, journal));
  });
}

/** Removes what was kept; there is no way back afterwards. */
export async function confirmLive(place: LivePlace): Promise<void> {
  await locked(place, async (journal) => {
    if (journal.hasBegun('rollback')) fail('JOURNAL_STATE', 'this restore was rolled back, or is about to be');
    if (!journal.isDone('verify')) fail('JOURNAL_STATE', 'this restore did not come to its end');
    await journal.step('confirm', () => forget(place, ['new', 'kept']));
  });
}

async function locked<T>(
  { directory, signal }: LivePlace,
  work: (journal: RestoreJournal<Step>) => Promise<T>,
): Promise<T> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lock: HeldLock = await holdLock(path.join(directory, 'lock'), { signal });
  try {
    return await work(await RestoreJournal.open<Step>(path.join(directory, 'journal.jsonl')));
  } finally {
    await lock.release();
  }
}

class LiveRestore {
  readonly #options: RestoreLiveOptions;
  readonly #journal: RestoreJournal<Step>;

  constructor(options: RestoreLiveOptions, journal: RestoreJournal<Step>) {
    this.#options = options;
    this.#journal = journal;
  }

  async run(): Promise<Comparison> {
    const { onProgress } = this.#options;
    await this.#requireFit();
    const tools = await this.#tools();
    onProgress?.('fetching the snapshot and loading it into a throwaway server');
    await this.#prepare(tools);
    onProgress?.('exchanging the data of the running server');
    try {
      return await this.#exchange(tools);
    } catch (error) {
      if (!this.#journal.hasBegun('replace')) throw error;
      return await this.#giveUp(error);
    }
  }

  /** Another life of the server is another server, unless we have begun: then it may have died of it. */
  async #requireFit(): Promise<void> {
    if (this.#journal.hasBegun('replace')) return;
    const connection = await RedisConnection.open(this.#options.source);
    try {
      const identity = await requireLiveFit(connection);
      requireReadable(identity, storedDetails(this.#options.snapshot));
      const { runId } = identity;
      if (runId !== this.#options.runId) {
        fail('REDIS_IDENTITY', `'${connection.where}' was started anew since the plan was made, or is another server`);
      }
    } finally {
      connection.close();
    }
  }

  /** Programs that read the snapshot; the server must not be older than what wrote it. */
  async #tools(): Promise<RedisTools> {
    const { snapshot, programs } = this.#options;
    const { server } = storedDetails(snapshot);
    return await findTools(server, programs === undefined ? {} : { programs });
  }

  async #prepare(tools: RedisTools): Promise<void> {
    const { directory, signal } = this.#options;
    const place = path.join(directory, 'new');
    await this.#journal.step('prepare', async () => {
      await mkdir(place, { recursive: true, mode: 0o700 });
      const facts = await fetchRdb(this.#options, { directory: place, tools, signal });
      await proveRdb({ tools, directory: place, facts, signal });
      return { facts };
    });
  }

  async #exchange(tools: RedisTools): Promise<Comparison> {
    const { directory, source, signal, check } = this.#options;
    const kept = path.join(directory, 'kept');
    await mkdir(kept, { recursive: true, mode: 0o700 });
    return await paused(source, async (connection) => {
      // Once anything was replaced, what the server has is not what it had.
      if (!this.#journal.hasBegun('replace')) {
        const facts = await keepData(source, { directory: kept, tools, signal });
        await this.#journal.note('keep', { facts });
        await syncDirectory(directory);
      }
      await check?.();
      await this.#journal.step('replace', () => replaceData(connection, path.join(directory, 'new', RDB_FILE), signal));
      const comparison = await compareWithFacts(connection, this.#journal.dataOf('prepare')?.facts as RdbFacts, {
        isFresh: false,
      });
      requireSame(comparison);
      await this.#journal.step('verify', async () => ({ keys: comparison.keys }));
      return comparison;
    });
  }

  async #giveUp(cause: unknown): Promise<never> {
    const { message } = toHoldfastError(cause);
    try {
      const place = { ...this.#options, signal: new AbortController().signal };
      await this.#journal.step('rollback', () => putBack(place, this.#journal));
    } catch (error) {
      throw new HoldfastError(
        'STUCK',
        `the restore failed (${message}), and putting the data back failed too: ${toHoldfastError(error).message}`,
        {
          cause: error,
          hint: `what the server had is '${path.join(this.#options.directory, 'kept', RDB_FILE)}'; mend the reason, then roll back again`,
        },
      );
    }
    throw new HoldfastError('ROLLED_BACK', `the restore failed and the data was put back: ${message}`, { cause });
  }
}

async function putBack(place: LivePlace, journal: RestoreJournal<Step>): Promise<void> {
  const { directory, source, signal, check } = place;
  const facts = journal.dataOf('keep')?.facts as RdbFacts | undefined;
  if (facts === undefined) fail('JOURNAL_STATE', 'the journal does not say what was kept');
  const replaced = path.join(directory, 'replaced');
  await mkdir(replaced, { recursive: true, mode: 0o700 });
  await paused(source, async (connection) => {
    // What died in the middle of the exchange has left it our replica.
    await connection.call('be a primary again', 'REPLICAOF', 'NO', 'ONE');
    const tools = await findTools(
      await requireLiveFit(connection),
      place.programs === undefined ? {} : { programs: place.programs },
    );
    await keepData(source, { directory: replaced, tools, signal });
    await check?.();
    await replaceData(connection, path.join(directory, 'kept', RDB_FILE), signal);
    requireSame(await compareWithFacts(connection, facts, { isFresh: false }));
  });
}

async function forget({ directory }: LivePlace, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(path.join(directory, name), { recursive: true, force: true });
  await syncDirectory(directory);
}
