// A live restore: the running server takes a snapshot as a replica takes its primary's data; what it had is kept until somebody confirms.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Moment } from '../../domain/moment.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { syncDirectory } from '../../system/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import { RedisConnection } from '../connection/index.ts';
import type { RdbFacts } from '../rdb/index.ts';
import { type Comparison, compareWithFacts } from '../throwaway/compare.ts';
import { proveRdb, requireSame } from '../throwaway/prove.ts';
import { findTools, type RedisTools } from '../tools.ts';
import { fetchRdb, storedDetails } from './fetch.ts';
import { goBackLive, keptFile } from './live-back.ts';
import {
  besideWhatIsKept,
  forget,
  type LiveJournal,
  type LivePlace,
  type LiveStep,
  lockedLive,
  replacing,
  servedBefore,
} from './live-place.ts';
import { keepData, replaceData, requireLiveFit } from './live-server.ts';
import { endOurReplication } from './our-replica.ts';
import { requireReadable } from './readable.ts';
import { bytesIn, keptBytes, requireRoom } from './room.ts';
import { paused } from './write-pause.ts';

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
  return await lockedLive<LiveStep, Comparison>(options, async (journal) => {
    if (journal.hasBegun('rollback') || journal.hasBegun('confirm')) {
      fail('JOURNAL_STATE', 'this restore was confirmed or rolled back, or is about to be');
    }
    // What clients have written since is theirs.
    if (journal.isDone('verify')) return journal.dataOf('verify') as unknown as Comparison;
    return await new LiveRestore(options, journal).run();
  });
}

/** Puts back what was kept. What the server has by now is kept too, as `replaced`. */
export async function rollbackLive(place: LivePlace): Promise<void> {
  await lockedLive<LiveStep, void>(place, async (journal) => {
    if (journal.hasBegun('confirm')) fail('JOURNAL_STATE', 'this restore was confirmed: what was kept is gone');
    journal.goBack();
    await journal.step('rollback', () => goBackLive(place, journal));
  });
}

/** Removes what was kept; there is no way back afterwards. */
export async function confirmLive(place: LivePlace): Promise<void> {
  await lockedLive<LiveStep, void>(place, async (journal) => {
    if (journal.hasBegun('rollback')) fail('JOURNAL_STATE', 'this restore was rolled back, or is about to be');
    if (!journal.isDone('verify')) fail('JOURNAL_STATE', 'this restore did not come to its end');
    await journal.check();
    await journal.step('confirm', () => forget(place));
  });
}

class LiveRestore {
  readonly #options: RestoreLiveOptions;
  readonly #journal: LiveJournal;

  constructor(options: RestoreLiveOptions, journal: LiveJournal) {
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
      if (!this.#journal.hasBegun('replace') || isHoldfastError(error, 'FENCED')) throw error;
      return await this.#giveUp(error);
    }
  }

  /** Another life of the server is another server, unless it was sent something: then it may have died of it. */
  async #requireFit(): Promise<void> {
    if (this.#journal.hasBegun('send')) return;
    const connection = await RedisConnection.open(this.#options.source);
    try {
      if (this.#journal.hasBegun('serve')) await endOurReplication(connection, servedBefore(this.#journal));
      const identity = await requireLiveFit(connection);
      const details = storedDetails(this.#options.snapshot);
      requireReadable(identity, details);
      // What an attempt before has kept is taken anew, in its place.
      const kept = await bytesIn(path.join(this.#options.directory, 'kept'));
      await requireRoom(this.#options.directory, keptBytes(details, identity) - kept);
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
    const journal = this.#journal;
    const { source, limits } = this.#options;
    return await paused(source, limits?.pauseMs, async (connection, pause) => {
      if (journal.hasBegun('send')) await this.#setAside(connection, tools);
      else await this.#keep(tools);
      await journal.check();
      await journal.again('replace', () => replaceData(connection, replacing(this.#options, journal, 'new', pause)));
      const facts = journal.dataOf('prepare')?.facts as RdbFacts;
      const comparison = await compareWithFacts(connection, facts, { isFresh: false });
      requireSame(comparison);
      await journal.note('verify', { ...comparison });
      return comparison;
    });
  }

  /** What a rollback puts back. */
  async #keep(tools: RedisTools): Promise<void> {
    const { directory, source, signal } = this.#options;
    const kept = path.join(directory, 'kept');
    // Nothing was sent, so the server has it all; there may be no room for two.
    await this.#journal.check();
    await rm(kept, { recursive: true, force: true });
    await mkdir(kept, { recursive: true, mode: 0o700 });
    const facts = await keepData(source, { directory: kept, tools, signal });
    await this.#journal.note('keep', { facts });
    await syncDirectory(directory);
  }

  /** What is kept is of the time before the first attempt, and stays that. What clients have written since, to a primary, is nowhere else. */
  async #setAside(connection: RedisConnection, tools: RedisTools): Promise<void> {
    const { directory, source, signal, onProgress } = this.#options;
    await this.#journal.check();
    if (await endOurReplication(connection, servedBefore(this.#journal))) return;
    await requireLiveFit(connection);
    const place = await besideWhatIsKept(this.#options);
    onProgress?.(`the server became a primary since the last attempt: what it has now is set aside in '${place}'`);
    await keepData(source, { directory: place, tools, signal });
    await syncDirectory(directory);
  }

  async #giveUp(cause: unknown): Promise<never> {
    const { message } = toHoldfastError(cause);
    const place = { ...this.#options, signal: new AbortController().signal };
    this.#journal.goBack();
    try {
      await this.#journal.step('rollback', () => goBackLive(place, this.#journal));
    } catch (error) {
      if (isHoldfastError(error, 'FENCED')) throw error;
      throw new HoldfastError(
        'STUCK',
        `the restore failed (${message}), and putting the data back failed too: ${toHoldfastError(error).message}`,
        {
          cause: error,
          hint: `what the server had is '${keptFile(place)}'; mend the reason, then roll back again`,
        },
      );
    }
    throw new HoldfastError('ROLLED_BACK', `the restore failed and the data was put back: ${message}`, { cause });
  }
}
