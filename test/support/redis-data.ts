// Data of every type and every encoding that a server has without modules, and the whole content of a server as text that can be compared.

import { createHash } from 'node:crypto';
import type { RedisConnection, Reply, Word } from '../../src/redis/connection/index.ts';
import type { RedisKind } from './redis-server.ts';
import { seededBytes } from './vault.ts';

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Small and large of each type, so that each of its encodings occurs; names and values that are no text; several databases; expiries. */
export function richCommands(kind: RedisKind): Word[][] {
  const odd = Buffer.from([0, 0xff, 0x0a, 0x0d, 0x20, 0xc3]);
  const hour = Date.now() + 3_600_000;
  return [
    ['SET', 'string:int', 12345],
    ['SET', 'string:negative', -70_000],
    ['SET', 'string:embstr', 'short'],
    ['SET', 'string:raw', 'x'.repeat(5000)],
    ['SET', 'string:random', seededBytes('raw', 70_000)],
    ['SET', 'string:empty', ''],
    ['SET', odd, odd],
    ['SET', `long:${'name'.repeat(300)}`, 'of a long name'],
    ['SETBIT', 'string:bitmap', 100_001, 1],
    ['PFADD', 'string:hyperloglog', ...range(500)],
    ['RPUSH', 'list:listpack', 'a', '', 17, odd],
    ['RPUSH', 'list:quicklist', ...range(3000).map((n) => `element ${n}`)],
    ['RPUSH', 'list:plain', 'y'.repeat(20_000), seededBytes('node', 9000)],
    ['SADD', 'set:intset', ...range(100)],
    ['SADD', 'set:listpack', 'a', 'b', odd],
    ['SADD', 'set:hashtable', ...range(1000).map((n) => `member ${n}`)],
    ['ZADD', 'zset:listpack', 1.5, 'a', '-inf', 'b', '+inf', 'c'],
    ['ZADD', 'zset:skiplist', ...range(1000).flatMap((n) => [n / 7, `member ${n}`])],
    ['HSET', 'hash:listpack', 'field', 'value', odd, odd],
    ['HSET', 'hash:hashtable', ...range(1000).flatMap((n) => [`field ${n}`, `value ${n}`.repeat(n % 5)])],
    ['GEOADD', 'zset:geo', 13.361389, 38.115556, 'Palermo'],
    ...range(300).map((n) => ['XADD', 'stream:long', `${n + 1}-1`, 'n', n, 'text', 'z'.repeat(n)]),
    ['XADD', 'stream:groups', '1-1', 'a', '1'],
    ['XADD', 'stream:groups', '2-1', 'b', '2'],
    ['XGROUP', 'CREATE', 'stream:groups', 'readers', '0'],
    ['XREADGROUP', 'GROUP', 'readers', 'anna', 'COUNT', '1', 'STREAMS', 'stream:groups', '>'],
    ['XGROUP', 'CREATE', 'stream:emptied', 'g', '$', 'MKSTREAM'],
    ['FUNCTION', 'LOAD', "#!lua name=mine\nredis.register_function('one', function() return 1 end)"],
    ['SET', 'expires:hour', 'soon', 'PXAT', hour],
    ['SET', 'expires:year', 'late', 'PXAT', hour + 31_536_000_000],
    ...(kind === 'redis8'
      ? [
          ['HSET', 'hash:fields', 'kept', '1', 'goes', '2'],
          ['HPEXPIREAT', 'hash:fields', hour, 'FIELDS', 1, 'goes'],
          ['HSET', 'hash:many', ...range(600).flatMap((n) => [`field ${n}`, n])],
          ['HPEXPIREAT', 'hash:many', hour, 'FIELDS', 2, 'field 1', 'field 2'],
        ]
      : []),
    ['SELECT', 3],
    ['SET', 'in another database', '3'],
    ['HSET', 'expires:hash', 'f', 'v'],
    ['PEXPIREAT', 'expires:hash', hour],
    ['SELECT', 15],
    ['SET', 'in the last database', '15'],
    ['SELECT', 0],
  ];
}

export async function fillRich(connection: RedisConnection, kind: RedisKind): Promise<void> {
  for (const words of richCommands(kind)) await connection.call('fill', ...words);
}

/** Many small keys: `count` strings, every tenth with an expiry in an hour. */
export async function fillMany(connection: RedisConnection, count: number, prefix = 'many'): Promise<void> {
  const at = Date.now() + 3_600_000;
  for (let from = 0; from < count; from += 1000) {
    const commands = range(Math.min(1000, count - from)).map((index) => {
      const number = from + index;
      const expiry = number % 10 === 0 ? ['PXAT', at] : [];
      return ['SET', `${prefix}:${number}`, `value ${number} ${'.'.repeat(number % 200)}`, ...expiry];
    });
    await connection.pipeline('fill', commands);
  }
}

const readers: Readonly<Record<string, (key: Buffer) => Word[]>> = {
  string: (key) => ['GET', key],
  list: (key) => ['LRANGE', key, 0, -1],
  set: (key) => ['SMEMBERS', key],
  zset: (key) => ['ZRANGE', key, 0, -1, 'WITHSCORES'],
  hash: (key) => ['HGETALL', key],
  stream: (key) => ['XRANGE', key, '-', '+'],
};
/** Encodings that keep no order of their own: what `DUMP` gives of them depends on the life of the server. */
const unordered = new Set(['hashtable', 'skiplist', 'listpackex']);

/** Every key of every database: type, encoding, expiry, whole value, and `DUMP` where that is determined; and the libraries of functions. */
export async function contentOf(connection: RedisConnection): Promise<string[]> {
  const lines: string[] = [];
  for (const database of range(16)) {
    await connection.call('look', 'SELECT', database);
    const keys = (await connection.call('look', 'KEYS', '*')) as Buffer[];
    for (const key of keys) lines.push(`${database} ${await describe(connection, key)}`);
  }
  await connection.call('look', 'SELECT', 0);
  lines.push(`functions ${textOf(await connection.call('look', 'FUNCTION', 'LIST', 'WITHCODE'))}`);
  return lines.sort();
}

async function describe(connection: RedisConnection, key: Buffer): Promise<string> {
  const type = await connection.text('look', 'TYPE', key);
  const encoding = await connection.text('look', 'OBJECT', 'ENCODING', key);
  const expiry = await connection.text('look', 'PEXPIRETIME', key);
  const value = await connection.call('look', ...(readers[type] as (key: Buffer) => Word[])(key));
  const members =
    type === 'set' ? (value as Buffer[]).map(textOf).sort() : type === 'hash' ? pairs(value) : [textOf(value)];
  const groups = type === 'stream' ? await groupsOf(connection, key) : '';
  const fields =
    encoding === 'listpackex' || key.toString() === 'hash:many' ? await fieldExpiries(connection, key) : '';
  // A server that reads its own append-only file notes anew when a consumer was last seen.
  const isDetermined = !unordered.has(encoding) && key.toString() !== 'stream:groups';
  const dump = !isDetermined ? '' : textOf(await connection.call('look', 'DUMP', key));
  const digest = createHash('sha256')
    .update([...members, groups, fields, dump].join('\n'))
    .digest('hex');
  return [key.toString('latin1'), type, encoding, expiry, digest].map((part) => JSON.stringify(part)).join(' ');
}

function pairs(value: Reply): string[] {
  const words = (value as Buffer[]).map(textOf);
  return range(words.length / 2)
    .map((n) => `${words[2 * n]}=${words[2 * n + 1]}`)
    .sort();
}

async function groupsOf(connection: RedisConnection, key: Buffer): Promise<string> {
  const info = textOf(await connection.call('look', 'XINFO', 'STREAM', key, 'FULL'));
  // How long ago a consumer was seen is counted from now in some versions, and radix trees are of the server.
  return info.replace(/"(radix-tree-keys|radix-tree-nodes|seen-time|active-time)",\d+/g, '');
}

async function fieldExpiries(connection: RedisConnection, key: Buffer): Promise<string> {
  const fields = ((await connection.call('look', 'HKEYS', key)) as Buffer[]).map(String).sort();
  return textOf(await connection.call('look', 'HPEXPIRETIME', key, 'FIELDS', fields.length, ...fields));
}

function textOf(reply: Reply): string {
  return JSON.stringify(reply, (_, value) => {
    if (value?.type === 'Buffer') return Buffer.from(value.data).toString('latin1');
    return value;
  });
}
