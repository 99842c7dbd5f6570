// Whether a server that has loaded a snapshot has what the snapshot's facts say: counts exactly, samples one by one.

import { createHash } from 'node:crypto';
import type { RedisConnection, Reply } from '../connection/index.ts';
import { type Info, readInfo } from '../identity.ts';
import type { KeySample, RdbFacts } from '../rdb/index.ts';

export interface Comparison {
  readonly keys: number;
  /** Left out, or gone since, because their time is over. */
  readonly expired: number;
  readonly samples: number;
  /** In words; empty when all is as it should be. */
  readonly differences: readonly string[];
  /** There was something to compare. */
  readonly hasCompared: boolean;
}

export interface CompareOptions {
  /** The server loaded this at its start and nothing else since: then its own account of the loading is compared too. */
  readonly isFresh: boolean;
}

const MOST_DIFFERENCES = 20;

const lengthCommands: Readonly<Record<string, string>> = {
  string: 'STRLEN',
  list: 'LLEN',
  set: 'SCARD',
  zset: 'ZCARD',
  hash: 'HLEN',
  stream: 'XLEN',
};

/** Throws the `REDIS_…` errors; a difference is a result. */
export async function compareWithFacts(
  connection: RedisConnection,
  facts: RdbFacts,
  { isFresh }: CompareOptions,
): Promise<Comparison> {
  const info = await readInfo(connection);
  const there = keyspaceOf(info);
  const differences = [...(isFresh ? loadingDifferences(info, facts) : []), ...countDifferences(there, facts)];
  const { compared, differences: ofSamples } = await compareSamples(connection, facts.samples);
  const keys = [...there.values()].reduce((sum, database) => sum + database.keys, 0);
  return {
    keys,
    expired: Math.max(0, facts.keys - keys),
    samples: compared,
    differences: [...differences, ...ofSamples].slice(0, MOST_DIFFERENCES),
    hasCompared: facts.keys > 0 && facts.missing === undefined,
  };
}

/**
 * Of a server that was started with the data and has clients: what differs, in words. Once they have written, what they changed cannot be told from
 * what was not loaded; then what the server says of its own loading counts, which they do not change, and samples only when most of them differ.
 */
export async function compareLoaded(connection: RedisConnection, facts: RdbFacts): Promise<readonly string[]> {
  const { differences } = await compareWithFacts(connection, facts, { isFresh: true });
  if (differences.length === 0) return [];
  const info = await readInfo(connection);
  if (info.get('rdb_changes_since_last_save') === '0' && info.get('rdb_saves') === '0') return differences;
  const { differences: ofSamples } = await compareSamples(connection, facts.samples);
  const areMost = ofSamples.length * 2 > facts.samples.length;
  return [...loadingDifferences(info, facts), ...(areMost ? ofSamples.slice(0, MOST_DIFFERENCES) : [])];
}

export interface Taken {
  /** In words; empty when nothing speaks against it. */
  readonly differences: readonly string[];
  /** There was something to compare. */
  readonly hasCompared: boolean;
}

/**
 * Of a server that somebody started some time ago: its own count of what it loaded is enough, because clients do not change it. It may have been
 * started again since, and then that is of other data: values and expiries are what clients change, so what speaks against it then is that most of
 * the samples are missing whose time is not over. Throws the `REDIS_…` errors.
 */
export async function compareTaken(connection: RedisConnection, facts: RdbFacts): Promise<Taken> {
  const ofLoading = loadingDifferences(await readInfo(connection), facts);
  if (ofLoading.length === 0 && facts.missing === undefined) return { differences: [], hasCompared: true };
  const { compared, missing } = await compareSamples(connection, facts.samples);
  const areMost = missing.length * 2 > compared;
  return {
    differences: areMost ? [...ofLoading, ...missing].slice(0, MOST_DIFFERENCES) : [],
    hasCompared: compared > 0,
  };
}

/** The part of it that needs no right to read keys. */
export async function compareLoading(connection: RedisConnection, facts: RdbFacts): Promise<readonly string[]> {
  return loadingDifferences(await readInfo(connection), facts);
}

function loadingDifferences(info: Info, facts: RdbFacts): string[] {
  const [loaded, expired] = ['loaded', 'expired'].map((what) => info.get(`rdb_last_load_keys_${what}`));
  if (loaded === undefined || expired === undefined) return ['the server does not say how many keys it loaded'];
  const counted = Number(loaded) + Number(expired);
  if (facts.missing !== undefined || counted === facts.keys) return [];
  return [`the snapshot has ${facts.keys} keys, the server loaded ${loaded} and left out ${expired}`];
}

interface Keyspace {
  readonly keys: number;
  readonly persistent: number;
}

function keyspaceOf(info: Info): ReadonlyMap<number, Keyspace> {
  const databases = [...info].flatMap(([name, value]) => {
    const number = /^db(\d+)$/.exec(name)?.[1];
    const [, keys, expires] = /^keys=(\d+),expires=(\d+)/.exec(value) ?? [];
    if (number === undefined || keys === undefined) return [];
    return [[Number(number), { keys: Number(keys), persistent: Number(keys) - Number(expires) }] as const];
  });
  return new Map(databases);
}

function countDifferences(there: ReadonlyMap<number, Keyspace>, facts: RdbFacts): string[] {
  if (facts.missing !== undefined) return [];
  const wanted = new Map(facts.databases.map((database) => [database.number, database]));
  return [...new Set([...there.keys(), ...wanted.keys()])].flatMap((number) => {
    const { keys: has, persistent: hasPersistent } = there.get(number) ?? { keys: 0, persistent: 0 };
    const { keys, persistent, fieldsExpire } = wanted.get(number) ?? { keys: 0, persistent: 0, fieldsExpire: 0 };
    const found: string[] = [];
    if (hasPersistent > persistent || hasPersistent < persistent - fieldsExpire) {
      found.push(`database ${number} has ${hasPersistent} keys that never expire instead of ${persistent}`);
    }
    if (has > keys) found.push(`database ${number} has ${has} keys instead of ${keys}`);
    return found;
  });
}

/** A key that vanishes for another reason than its time is a difference; so is one more element. */
async function compareSamples(connection: RedisConnection, samples: readonly KeySample[]) {
  const differences: string[] = [];
  const missing: string[] = [];
  let compared = 0;
  let database = -1;
  for (const sample of samples) {
    if (sample.database !== database) {
      database = sample.database;
      await connection.call('choose a database', 'SELECT', database);
    }
    const found = await readSample(connection, sample);
    const problem = found === undefined ? undefined : differenceOf(sample, found);
    if (problem !== undefined) differences.push(problem);
    if (found?.type === 'none') missing.push(`${nameOf(sample)} is missing`);
    if (found !== undefined) compared += 1;
  }
  return { compared, differences, missing };
}

interface FoundKey {
  readonly type: string;
  readonly length: number | undefined;
  readonly sha256: string | undefined;
  readonly expiresAtMs: number | undefined;
}

/** Undefined where its time is over. */
async function readSample(connection: RedisConnection, sample: KeySample): Promise<FoundKey | undefined> {
  const key = Buffer.from(sample.key, 'base64');
  const doing = 'read a sample';
  const command = lengthCommands[sample.type];
  const type = await connection.text(doing, 'TYPE', key);
  if (type === 'none') {
    const isOver = sample.expiresAtMs !== undefined && sample.expiresAtMs <= Date.now();
    return isOver ? undefined : { type, length: undefined, sha256: undefined, expiresAtMs: undefined };
  }
  const expiry = Number(await connection.call(doing, 'PEXPIRETIME', key));
  const length = command && sample.length !== undefined ? await connection.ask(doing, command, key) : undefined;
  const value: Reply = sample.sha256 === undefined ? null : await connection.ask(doing, 'GET', key);
  return {
    type,
    length: typeof length === 'number' ? length : undefined,
    sha256: Buffer.isBuffer(value) ? createHash('sha256').update(value).digest('hex') : undefined,
    expiresAtMs: expiry >= 0 ? expiry : undefined,
  };
}

function differenceOf(sample: KeySample, found: FoundKey): string | undefined {
  const name = nameOf(sample);
  const isModule = sample.type === 'module';
  if (!isModule && found.type !== sample.type) {
    return found.type === 'none' ? `${name} is missing` : `${name} is a ${found.type} instead of a ${sample.type}`;
  }
  if (found.expiresAtMs !== sample.expiresAtMs) return `${name} expires at another time`;
  if (sample.length !== undefined && found.length !== undefined && found.length !== sample.length) {
    return `${name} has ${found.length} elements or bytes instead of ${sample.length}`;
  }
  if (sample.sha256 !== undefined && found.sha256 !== sample.sha256) return `${name} has another value`;
  return undefined;
}

const nameOf = ({ key, database }: KeySample) => `key '${keyText(key)}' of database ${database}`;

/** Of base64, for people: what is no printable ASCII is shown as the byte's number. */
export function keyText(base64: string): string {
  return Buffer.from(base64, 'base64')
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
