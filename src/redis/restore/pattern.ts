// Keys that match a pattern, as a snapshot has them, into a running server: what they were is written down first, and put back by a rollback.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Moment } from '../../domain/moment.ts';
import type { KeyCounts } from '../../domain/redis-restore.ts';
import { fail } from '../../errors/index.ts';
import { syncDirectory } from '../../system/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import { RedisConnection } from '../connection/index.ts';
import { identify, requireStandalone } from '../identity.ts';
import type { Comparison } from '../throwaway/compare.ts';
import { proveRdb } from '../throwaway/prove.ts';
import { findTools } from '../tools.ts';
import { fetchRdb, storedDetails } from './fetch.ts';
import type { RestoreJournal } from './journal.ts';
import { applyList, compareMatching, LIST, type ListedServers, writeList } from './key-list.ts';
import { type LivePlace, lockedLive } from './live-place.ts';
import { requireReadable } from './readable.ts';

type Step = 'list' | 'replace' | 'confirm' | 'rollback';

export interface RestoreKeysOptions extends LivePlace {
  readonly vault: Vault;
  readonly snapshot: SnapshotOnCopies;
  readonly from?: string;
  readonly moment?: Moment;
  /** As SCAN takes it. */
  readonly pattern: string;
}

export interface KeysPlan extends KeyCounts {
  /** Of the whole snapshot, in a throwaway server. */
  readonly proof: Comparison;
}

export type CountKeysOptions = Omit<RestoreKeysOptions, 'directory' | 'check' | 'limits'>;

/** Finds what would be changed. `place`: exists, and takes the RDB; nothing else is written. Throws as `restoreKeys`. */
export async function countKeys(options: CountKeysOptions, place: string): Promise<KeyCounts> {
  const { counts } = await withBoth(options, place, (servers) => compareMatching(options.pattern, servers));
  if (counts.matching === 0) noneMatches(options);
  return counts;
}

/** May be called again after it was killed; then the list is made, and nothing written to the server. */
export async function planKeys(options: RestoreKeysOptions): Promise<KeysPlan> {
  return await lockedLive<Step, KeysPlan>(options, async (journal) => await list(options, journal));
}

/**
 * May be called again after it was killed; then what is on the list is done, and nothing else. Throws `REDIS_…`, `NO_SPACE`, `TOOL_VERSION`,
 * `CHECK_FAILED`; `NOT_FOUND` when nothing matches, and then nothing of it is left.
 */
export async function restoreKeys(options: RestoreKeysOptions): Promise<KeysPlan> {
  return await lockedLive<Step, KeysPlan>(options, async (journal) => {
    if (journal.hasBegun('rollback') || journal.hasBegun('confirm')) {
      fail('JOURNAL_STATE', 'this restore was confirmed or rolled back, or is about to be');
    }
    const plan = await list(options, journal);
    if (plan.matching === 0 && !journal.hasBegun('replace')) {
      await journal.check();
      await rm(options.directory, { recursive: true });
      noneMatches(options);
    }
    await journal.step('replace', () => carryOut(options, journal, 'forth'));
    return plan;
  });
}

export async function rollbackKeys(place: LivePlace): Promise<void> {
  await lockedLive<Step, void>(place, async (journal) => {
    if (journal.hasBegun('confirm')) fail('JOURNAL_STATE', 'this restore was confirmed: what was kept is gone');
    journal.goBack();
    await journal.step('rollback', async () => {
      if (journal.hasBegun('replace')) await carryOut(place, journal, 'back');
    });
  });
}

export async function confirmKeys(place: LivePlace): Promise<void> {
  await lockedLive<Step, void>(place, async (journal) => {
    if (journal.hasBegun('rollback')) fail('JOURNAL_STATE', 'this restore was rolled back, or is about to be');
    if (!journal.isDone('replace')) fail('JOURNAL_STATE', 'this restore did not come to its end');
    await journal.check();
    await journal.step('confirm', async () => {
      await rm(path.join(place.directory, LIST), { force: true });
      await syncDirectory(place.directory);
    });
  });
}

async function carryOut(place: LivePlace, journal: RestoreJournal<Step>, way: 'forth' | 'back'): Promise<void> {
  await withServer(place, (connection) => applyList(place.directory, connection, way, () => journal.check()));
}

async function withServer<T>(
  { source, signal }: Pick<LivePlace, 'source' | 'signal'>,
  work: (connection: RedisConnection) => Promise<T>,
): Promise<T> {
  const connection = await RedisConnection.open(source, { signal });
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

/** The list is made once: by a later attempt, what has been replaced would look as if it had been there before. */
async function list(options: RestoreKeysOptions, journal: RestoreJournal<Step>): Promise<KeysPlan> {
  await journal.step('list', async () => {
    const { directory, pattern } = options;
    const place = path.join(directory, 'new');
    await mkdir(place, { recursive: true, mode: 0o700 });
    const { counts, proof } = await withBoth(options, place, (servers) => writeList(directory, pattern, servers));
    await rm(place, { recursive: true });
    return { ...counts, proof };
  });
  return journal.dataOf('list') as unknown as KeysPlan;
}

/** `place`: exists, and takes the RDB. */
async function withBoth(
  options: CountKeysOptions,
  place: string,
  work: (servers: ListedServers) => Promise<KeyCounts>,
): Promise<{ readonly counts: KeyCounts; readonly proof: Comparison }> {
  const { snapshot, programs, signal } = options;
  const { server, facts } = storedDetails(snapshot);
  const tools = await findTools(server, programs === undefined ? {} : { programs });
  return await withServer(options, async (target) => {
    const identity = await identify(target);
    requireStandalone(identity, target.where);
    requireReadable(identity, { server, facts });
    const fetched = await fetchRdb(options, { directory: place, tools, signal });
    const found: KeyCounts[] = [];
    const proof = await proveRdb({ tools, directory: place, facts: fetched, signal }, async ({ connection }) => {
      found.push(await work({ snapshot: connection, target }));
    });
    return { counts: found[0] as KeyCounts, proof };
  });
}

/** `untouched`: there is nothing to undo. */
function noneMatches({ snapshot: { id, component, to }, moment, pattern }: CountKeysOptions): never {
  const core = pattern.replace(/^\*+|\*+$/g, '');
  const command = `holdfast restore ${component} --to ${moment ?? `snapshot:${id}`} --key ${quoted(`*${core}*`)} --dry-run`;
  fail('NOT_FOUND', `no key of '${component}' as of ${moment ?? to} (snapshot ${id}) matches '${pattern}'`, {
    hint:
      core === ''
        ? `it holds none: \`holdfast list ${component}\` shows other snapshots`
        : `a pattern is of the whole name, and capitals count; a wider one: \`${command}\``,
    details: { untouched: true },
  });
}

/** As one word of a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
