// Keys that match a pattern, in all databases of a server, and what is needed to give each back: found by SCAN, so that the server is not held up, and read a few mebibytes at a time.

import { bytesText } from '../../domain/size.ts';
import { fail } from '../../errors/index.ts';
import { type RedisConnection, type Reply, redisError, ServerReply, type Word } from '../connection/index.ts';
import { readInfo } from '../identity.ts';
import { keyText } from '../throwaway/compare.ts';

export interface KeyValue {
  readonly database: number;
  readonly key: Buffer;
  /** As `DUMP` gives it. */
  readonly value: Buffer;
  /** Milliseconds since 1970; 0: never. */
  readonly expiresAtMs: number;
}

export interface KeyNames {
  readonly database: number;
  readonly keys: readonly Buffer[];
}

const BATCH = 200;
/** What is asked for at once, as far as the server can tell before. */
export const IN_FLIGHT_BYTES = 16 * 1024 * 1024;
/** One value is held whole, some times over. */
export const LARGEST_BYTES = 64 * 1024 * 1024;
const doing = 'read keys';

/** Each once; in the database that is chosen by then. */
export async function* matchingNames(connection: RedisConnection, pattern: string): AsyncGenerator<KeyNames> {
  const info = await readInfo(connection);
  for (const name of info.keys()) {
    const number = /^db(\d+)$/.exec(name)?.[1];
    if (number === undefined) continue;
    const database = Number(number);
    await connection.call('choose a database', 'SELECT', database);
    const seen = new Set<string>();
    for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
      const [next, keys] = (await scan(connection, cursor, pattern)) as [Reply, Buffer[]];
      cursor = String(next);
      const fresh = keys.filter((key) => !seen.has(key.toString('latin1')));
      for (const key of fresh) seen.add(key.toString('latin1'));
      if (fresh.length > 0) yield { database, keys: fresh };
    }
  }
}

async function scan(connection: RedisConnection, cursor: string, pattern: string): Promise<readonly Reply[]> {
  const reply = await connection.call('look for keys', 'SCAN', cursor, 'MATCH', pattern, 'COUNT', BATCH);
  return Array.isArray(reply)
    ? reply
    : fail('REDIS_UNFIT', `'${connection.where}' answers SCAN in a way that is not understood`);
}

/** In the database that is chosen. Keys that go while it looks are left out. Throws `REDIS_UNFIT` for a value that is too large to be held. */
export async function* valuesOf(connection: RedisConnection, { database, keys }: KeyNames): AsyncGenerator<KeyValue[]> {
  const sizes = await replies(
    connection,
    keys.map((key) => ['MEMORY', 'USAGE', key]),
  );
  let group: Buffer[] = [];
  let groupBytes = 0;
  for (const [index, key] of keys.entries()) {
    const size = sizes[index];
    if (size === null) continue;
    requireHeld(connection.where, database, key, Number(size));
    if (group.length > 0 && groupBytes + Number(size) > IN_FLIGHT_BYTES) {
      yield await dumped(connection, database, group);
      [group, groupBytes] = [[], 0];
    }
    group.push(key);
    groupBytes += Number(size);
  }
  if (group.length > 0) yield await dumped(connection, database, group);
}

async function dumped(connection: RedisConnection, database: number, keys: readonly Buffer[]): Promise<KeyValue[]> {
  const commands = keys.flatMap((key) => [
    ['DUMP', key],
    ['PEXPIRETIME', key],
  ]);
  const all = await replies(connection, commands);
  return keys.flatMap((key, index) => {
    const [value, expiry] = [all[2 * index], all[2 * index + 1]];
    if (!Buffer.isBuffer(value)) return [];
    requireHeld(connection.where, database, key, value.length);
    return [{ database, key, value, expiresAtMs: Math.max(0, Number(expiry)) }];
  });
}

/** Throws the first refusal. */
async function replies(connection: RedisConnection, commands: readonly (readonly Word[])[]): Promise<readonly Reply[]> {
  const all = await connection.pipeline(doing, commands);
  for (const reply of all) if (reply instanceof ServerReply) throw redisError(reply, connection.where, doing);
  return all;
}

function requireHeld(where: string, database: number, key: Buffer, sizeBytes: number): void {
  if (sizeBytes <= LARGEST_BYTES) return;
  const name = keyText(key.toString('base64'));
  fail(
    'REDIS_UNFIT',
    `key '${name}' of database ${database} in '${where}' takes ${bytesText(sizeBytes)}; by pattern a key may take ${bytesText(LARGEST_BYTES)}`,
    { hint: 'leave it out of the pattern, and take it out of a restore beside' },
  );
}
