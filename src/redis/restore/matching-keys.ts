// Keys that match a pattern, in all databases of a server, with what is needed to give each back: found by SCAN, so that the server is not held up.

import { fail } from '../../errors/index.ts';
import { type RedisConnection, type Reply, redisError, ServerReply } from '../connection/index.ts';
import { readInfo } from '../identity.ts';

export interface KeyValue {
  readonly database: number;
  readonly key: Buffer;
  /** As `DUMP` gives it. */
  readonly value: Buffer;
  /** Milliseconds since 1970; 0: never. */
  readonly expiresAtMs: number;
}

const BATCH = 200;

/** Each once; keys that go while it looks are left out. */
export async function* matchingKeys(connection: RedisConnection, pattern: string): AsyncGenerator<KeyValue[]> {
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
      if (fresh.length > 0) yield await valuesOf(connection, database, fresh);
    }
  }
}

async function scan(connection: RedisConnection, cursor: string, pattern: string): Promise<readonly Reply[]> {
  const reply = await connection.call('look for keys', 'SCAN', cursor, 'MATCH', pattern, 'COUNT', BATCH);
  return Array.isArray(reply)
    ? reply
    : fail('REDIS_UNFIT', `'${connection.where}' answers SCAN in a way that is not understood`);
}

/** In the database that is chosen. */
export async function valuesOf(
  connection: RedisConnection,
  database: number,
  keys: readonly Buffer[],
): Promise<KeyValue[]> {
  const doing = 'read keys';
  const commands = keys.flatMap((key) => [
    ['DUMP', key],
    ['PEXPIRETIME', key],
  ]);
  const replies = await connection.pipeline(doing, commands);
  return keys.flatMap((key, index) => {
    const [value, expiry] = [replies[2 * index], replies[2 * index + 1]];
    for (const reply of [value, expiry])
      if (reply instanceof ServerReply) throw redisError(reply, connection.where, doing);
    if (!Buffer.isBuffer(value)) return [];
    return [{ database, key, value, expiresAtMs: Math.max(0, Number(expiry)) }];
  });
}
