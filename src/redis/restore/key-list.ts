// The list of a restore by pattern: every key that is to be replaced, with what it was, on the disk before anything is; carried out line by line, forth and back.

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import type { KeyCounts } from '../../domain/redis-restore.ts';
import { appendLine, syncDirectory } from '../../system/index.ts';
import { type RedisConnection, redisError, ServerReply, type Word } from '../connection/index.ts';
import { IN_FLIGHT_BYTES, type KeyValue, matchingNames, valuesOf } from './matching-keys.ts';

export const LIST = 'changes.jsonl';
/** What clients wrote in between; nobody but a person removes it. */
export const REPLACED = 'replaced.jsonl';

/** One line. */
interface Change {
  readonly database: number;
  readonly key: string;
  readonly value: string;
  readonly expiresAtMs: number;
  /** Absent: there was no such key. */
  readonly before?: Wanted;
}

export interface Wanted {
  readonly value: string;
  readonly expiresAtMs: number;
}

const MOST_AT_ONCE = 100;

export interface ListedServers {
  /** A throwaway one that has loaded the snapshot. */
  readonly snapshot: RedisConnection;
  readonly target: RedisConnection;
}

export async function writeList(directory: string, pattern: string, servers: ListedServers): Promise<KeyCounts> {
  const handle = await open(path.join(directory, LIST), 'w', 0o600);
  try {
    const counts = await compareMatching(pattern, servers, async (change) => {
      await handle.appendFile(`${JSON.stringify(change)}\n`);
    });
    await handle.sync();
    await syncDirectory(directory);
    return counts;
  } finally {
    await handle.close();
  }
}

/** `onChange`: told of each key that is to be made or replaced; nothing is written anywhere. */
export async function compareMatching(
  pattern: string,
  { snapshot, target }: ListedServers,
  onChange: (change: Change) => Promise<void> = () => Promise.resolve(),
): Promise<KeyCounts> {
  const counts = { matching: 0, create: 0, replace: 0, surplus: 0 };
  const known = new Set<string>();
  const note = async (each: KeyValue, before: KeyValue | undefined) => {
    counts.matching++;
    if (before && isSame(before, each)) return;
    if (before) counts.replace++;
    else counts.create++;
    await onChange(changeOf(each, before));
  };
  for await (const names of matchingNames(snapshot, pattern)) {
    await target.call('choose a database', 'SELECT', names.database);
    for await (const wanted of valuesOf(snapshot, names)) {
      for (const each of wanted) known.add(nameOf(each));
      await compare(target, wanted, note);
    }
  }
  for await (const { database, keys } of matchingNames(target, pattern))
    counts.surplus += keys.filter((key) => !known.has(nameOf({ database, key }))).length;
  return counts;
}

/** What the server has may be larger than what is wanted: it comes, and goes, a part at a time. */
async function compare(
  target: RedisConnection,
  wanted: readonly KeyValue[],
  note: (each: KeyValue, before: KeyValue | undefined) => Promise<void>,
): Promise<void> {
  const left = new Map(wanted.map((each) => [nameOf(each), each]));
  const names = { database: wanted[0]?.database ?? 0, keys: wanted.map(({ key }) => key) };
  for await (const there of valuesOf(target, names)) {
    for (const before of there) {
      const each = left.get(nameOf(before));
      left.delete(nameOf(before));
      if (each) await note(each, before);
    }
  }
  for (const each of left.values()) await note(each, undefined);
}

function nameOf({ database, key }: Pick<KeyValue, 'database' | 'key'>): string {
  return `${database}/${createHash('sha256').update(key).digest('base64')}`;
}

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

/**
 * Doing it twice is doing it once. What clients have made of a key since, that is neither what it was nor what it is to become, is written down in
 * `replaced.jsonl` first. `check`: before every few of them.
 */
export async function applyList(
  directory: string,
  connection: RedisConnection,
  way: 'forth' | 'back',
  check: () => Promise<void>,
): Promise<void> {
  const file = await open(path.join(directory, LIST));
  let batch: Change[] = [];
  let batchBytes = 0;
  const flush = async () => {
    await check();
    await setAside(directory, connection, batch);
    await carryOut(connection, batch, way);
    [batch, batchBytes] = [[], 0];
  };
  try {
    for await (const line of linesOf(file)) {
      const change = JSON.parse(line) as Change;
      if (batch.length > 0 && batch[0]?.database !== change.database) await flush();
      batch.push(change);
      batchBytes += line.length;
      if (batch.length >= MOST_AT_ONCE || batchBytes >= IN_FLIGHT_BYTES) await flush();
    }
    await flush();
  } finally {
    await file.close();
  }
}

/** All of one database. */
async function setAside(directory: string, connection: RedisConnection, batch: readonly Change[]): Promise<void> {
  const database = batch[0]?.database;
  if (database === undefined) return;
  await connection.call('choose a database', 'SELECT', database);
  const listed = new Map(batch.map((change) => [change.key, change]));
  const keys = batch.map(({ key }) => Buffer.from(key, 'base64'));
  for await (const there of valuesOf(connection, { database, keys })) {
    const lines = there.flatMap((each) => {
      const change = listed.get(each.key.toString('base64'));
      const isKnown = [change, change?.before].some((known) => known !== undefined && isOf(known, each));
      return isKnown ? [] : [JSON.stringify(changeOf(each, undefined))];
    });
    if (lines.length > 0) await appendLine(path.join(directory, REPLACED), lines.join('\n'));
  }
}

const isOf = ({ value, expiresAtMs }: Wanted, there: KeyValue): boolean =>
  expiresAtMs === there.expiresAtMs && value === there.value.toString('base64');

/** In the database that is chosen. */
async function carryOut(connection: RedisConnection, batch: readonly Change[], way: 'forth' | 'back'): Promise<void> {
  const doing = 'replace keys';
  const commands = batch.map((change) => commandFor(change, way === 'forth' ? change : change.before));
  for (const reply of await connection.pipeline(doing, commands)) {
    if (reply instanceof ServerReply) throw redisError(reply, connection.where, doing);
  }
}

/** One at a time: `node:readline` reads a thousand ahead, whatever their length. */
async function* linesOf(file: FileHandle): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 })) {
    let rest = chunk as Buffer;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      yield Buffer.concat([...pieces, rest.subarray(0, end)]).toString('utf8');
      pieces = [];
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) pieces.push(rest);
  }
}

/** A key whose time is over meanwhile is gone: RESTORE with a time that has passed removes it (Redis manual, RESTORE). */
function commandFor({ key }: Change, wanted: Wanted | undefined): Word[] {
  const name = Buffer.from(key, 'base64');
  if (wanted === undefined) return ['UNLINK', name];
  const value = Buffer.from(wanted.value, 'base64');
  return ['RESTORE', name, wanted.expiresAtMs, value, 'REPLACE', ...(wanted.expiresAtMs > 0 ? ['ABSTTL'] : [])];
}
