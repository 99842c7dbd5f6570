// Keys that match a pattern, as a snapshot has them, into a running server: what they were is written down first, and put back by a rollback.

import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Moment } from '../../domain/moment.ts';
import { fail } from '../../errors/index.ts';
import { holdLock } from '../../process/index.ts';
import { syncDirectory } from '../../system/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import { RedisConnection, redisError, ServerReply, type Word } from '../connection/index.ts';
import { identify, requireStandalone } from '../identity.ts';
import type { Comparison } from '../throwaway/compare.ts';
import { proveRdb } from '../throwaway/prove.ts';
import { findTools } from '../tools.ts';
import { fetchRdb, storedDetails } from './fetch.ts';
import { RestoreJournal } from './journal.ts';
import type { LivePlace } from './live.ts';
import { type KeyValue, matchingKeys, valuesOf } from './matching-keys.ts';
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

export interface KeysPlan {
  /** Keys of the snapshot that match. */
  readonly matching: number;
  /** Of those, what the server lacks or has with another value or expiry. */
  readonly create: number;
  readonly replace: number;
  /** Keys of the server that match and are not in the snapshot: they stay. */
  readonly surplus: number;
  /** Of the whole snapshot, in a throwaway server. */
  readonly proof: Comparison;
}

/** One line of the list. */
interface Change {
  readonly database: number;
  readonly key: string;
  readonly value: string;
  readonly expiresAtMs: number;
  /** Absent: there was no such key. */
  readonly before?: { readonly value: string; readonly expiresAtMs: number };
}

const LIST = 'changes.jsonl';

/** Finds what would be changed, and writes nothing to the server. Throws `REDIS_…`, `NO_SPACE`, `TOOL_VERSION`, `CHECK_FAILED`. */
export async function planKeys(options: RestoreKeysOptions): Promise<KeysPlan> {
  return await locked(options, async (journal) => await list(options, journal));
}

/** May be called again after it was killed; then what is on the list is done, and nothing else. */
export async function restoreKeys(options: RestoreKeysOptions): Promise<KeysPlan> {
  return await locked(options, async (journal) => {
    if (journal.hasBegun('rollback') || journal.hasBegun('confirm')) {
      fail('JOURNAL_STATE', 'this restore was confirmed or rolled back, or is about to be');
    }
    const plan = await list(options, journal);
    await journal.step('replace', async () => {
      await withServer(options, (connection) =>
        apply(options, connection, ({ value, expiresAtMs }) => ({ value, expiresAtMs })),
      );
    });
    return plan;
  });
}

export async function rollbackKeys(place: LivePlace): Promise<void> {
  await locked(place, async (journal) => {
    if (journal.hasBegun('confirm')) fail('JOURNAL_STATE', 'this restore was confirmed: what was kept is gone');
    await journal.step('rollback', async () => {
      if (!journal.hasBegun('replace')) return;
      await withServer(place, (connection) => apply(place, connection, ({ before }) => before));
    });
  });
}

export async function confirmKeys(place: LivePlace): Promise<void> {
  await locked(place, async (journal) => {
    if (journal.hasBegun('rollback')) fail('JOURNAL_STATE', 'this restore was rolled back, or is about to be');
    if (!journal.isDone('replace')) fail('JOURNAL_STATE', 'this restore did not come to its end');
    await journal.step('confirm', async () => {
      await rm(path.join(place.directory, LIST), { force: true });
      await syncDirectory(place.directory);
    });
  });
}

async function locked<T>(place: LivePlace, work: (journal: RestoreJournal<Step>) => Promise<T>): Promise<T> {
  const { directory, signal } = place;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lock = await holdLock(path.join(directory, 'lock'), { signal });
  try {
    return await work(await RestoreJournal.open<Step>(path.join(directory, 'journal.jsonl')));
  } finally {
    await lock.release();
  }
}

async function withServer<T>(
  { source, signal }: LivePlace,
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
    const { directory, snapshot, programs, signal, source } = options;
    const { server, facts } = storedDetails(snapshot);
    const tools = await findTools(server, programs === undefined ? {} : { programs });
    const place = path.join(directory, 'new');
    await mkdir(place, { recursive: true, mode: 0o700 });
    const counts = { matching: 0, create: 0, replace: 0, surplus: 0 };
    const proof = await withServer({ ...options, source }, async (target) => {
      const identity = await identify(target);
      requireStandalone(identity, target.where);
      requireReadable(identity, { server, facts });
      const fetched = await fetchRdb(options, { directory: place, tools, signal });
      return await proveRdb({ tools, directory: place, facts: fetched, signal }, async ({ connection }) => {
        await writeList(connection, target, options, counts);
      });
    });
    await rm(place, { recursive: true });
    return { ...counts, proof };
  });
  return journal.dataOf('list') as unknown as KeysPlan;
}

async function writeList(
  snapshot: RedisConnection,
  target: RedisConnection,
  { directory, pattern }: RestoreKeysOptions,
  plan: { matching: number; create: number; replace: number; surplus: number },
): Promise<void> {
  const handle = await open(path.join(directory, LIST), 'w', 0o600);
  const known = new Set<string>();
  try {
    for await (const wanted of matchingKeys(snapshot, pattern)) {
      const there = await presentValues(target, wanted);
      for (const each of wanted) {
        plan.matching++;
        known.add(nameOf(each));
        const before = there.get(nameOf(each));
        if (before && isSame(before, each)) continue;
        if (before) plan.replace++;
        else plan.create++;
        await handle.appendFile(`${JSON.stringify(changeOf(each, before))}\n`);
      }
    }
    for await (const batch of matchingKeys(target, pattern))
      plan.surplus += batch.filter((each) => !known.has(nameOf(each))).length;
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncDirectory(directory);
}

async function presentValues(target: RedisConnection, wanted: readonly KeyValue[]): Promise<Map<string, KeyValue>> {
  const [first] = wanted;
  if (first === undefined) return new Map();
  await target.call('choose a database', 'SELECT', first.database);
  const keys = wanted.map(({ key }) => key);
  const there = await valuesOf(target, first.database, keys);
  return new Map(there.map((each) => [nameOf(each), each]));
}

const nameOf = ({ database, key }: KeyValue) => `${database}/${createHash('sha256').update(key).digest('base64')}`;

/** Two dumps of one set may differ by the order of its members: it is replaced by the same then. */
function isSame(a: KeyValue, b: KeyValue): boolean {
  return a.expiresAtMs === b.expiresAtMs && a.value.equals(b.value);
}

function changeOf({ database, key, value, expiresAtMs }: KeyValue, before: KeyValue | undefined): Change {
  return {
    database,
    key: key.toString('base64'),
    value: value.toString('base64'),
    expiresAtMs,
    ...(before && { before: { value: before.value.toString('base64'), expiresAtMs: before.expiresAtMs } }),
  };
}

/** Line by line what the list says; doing it twice is doing it once. */
async function apply(
  { directory, check }: LivePlace,
  connection: RedisConnection,
  wanted: (change: Change) => { readonly value: string; readonly expiresAtMs: number } | undefined,
): Promise<void> {
  const doing = 'replace keys';
  const file = await open(path.join(directory, LIST));
  let database = -1;
  let batch: Word[][] = [];
  const flush = async () => {
    await check?.();
    for (const reply of await connection.pipeline(doing, batch)) {
      if (reply instanceof ServerReply) throw redisError(reply, connection.where, doing);
    }
    batch = [];
  };
  try {
    for await (const line of createInterface({ input: file.createReadStream({ autoClose: false }) })) {
      const change = JSON.parse(line) as Change;
      if (change.database !== database) batch.push(['SELECT', change.database]);
      database = change.database;
      batch.push(commandFor(change, wanted(change)));
      if (batch.length >= 100) await flush();
    }
    await flush();
  } finally {
    await file.close();
  }
}

/** A key whose time is over meanwhile is gone: RESTORE with a time that has passed removes it (Redis manual, RESTORE). */
function commandFor(
  { key }: Change,
  wanted: { readonly value: string; readonly expiresAtMs: number } | undefined,
): Word[] {
  const name = Buffer.from(key, 'base64');
  if (wanted === undefined) return ['UNLINK', name];
  const value = Buffer.from(wanted.value, 'base64');
  return ['RESTORE', name, wanted.expiresAtMs, value, 'REPLACE', ...(wanted.expiresAtMs > 0 ? ['ABSTTL'] : [])];
}
