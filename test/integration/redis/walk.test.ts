// The walk over an RDB of thousands of keys counts what the server counts, in however small pieces the bytes come.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { loadKeys } from '../../../bench/redis/load.ts';
import { findPrograms } from '../../../bench/redis/programs.ts';
import { BenchRedis } from '../../../bench/redis/server.ts';
import { type RdbFacts, RdbWalk } from '../../../src/redis/rdb/index.ts';
import { redisKinds } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

/** Thousands of keys: the first hundred alone are all samples, which are read in another way than those that are only counted. */
const SCALE = 0.002;

for (const kind of redisKinds) {
  test(`of ${kind}: keys by type and by database, and which of them expire`, async (t) => {
    const server = await BenchRedis.start(await findPrograms(kind), path.join(await temporaryDirectory(t), 'server'));
    try {
      await loadKeys(server, '1', SCALE);
      await server.cli('CONFIG', 'SET', 'maxmemory-policy', kind === 'redis7' ? 'allkeys-lru' : 'allkeys-lfu');
      await server.cli('SAVE');
      const bytes = await readFile(path.join(server.directory, 'dump.rdb'));
      const facts = walkOver(bytes, 65_536);
      assert.deepEqual([facts.missing, facts.keys], [undefined, await server.keys()]);
      assert.deepEqual(facts.databases, await keyspaceOf(server));
      assert.deepEqual(facts.types, await typesOf(server));
      assert.ok(facts.samples.length > 64 && facts.samples.length <= 128, `${facts.samples.length} samples`);
      // A byte at a time nothing but the smallest is ever at hand as a whole.
      for (const pieceBytes of [1, 50, 333, 10_000, bytes.length]) {
        assert.deepEqual(walkOver(bytes, pieceBytes), facts, `in pieces of ${pieceBytes} bytes`);
      }
      for (const length of [bytes.length >> 1, bytes.length - 9]) {
        assert.throws(() => walkOver(bytes.subarray(0, length), 65_536), { code: 'BACKUP_INVALID' }, `${length} bytes`);
      }
    } finally {
      await server.remove();
    }
  });
}

function walkOver(bytes: Buffer, pieceBytes: number): RdbFacts {
  const walk = new RdbWalk();
  for (let at = 0; at < bytes.length; at += pieceBytes) walk.push(bytes.subarray(at, at + pieceBytes));
  return walk.end();
}

async function keyspaceOf(server: BenchRedis): Promise<RdbFacts['databases']> {
  const lines = (await server.cli('INFO', 'keyspace')).matchAll(/^db(\d+):keys=(\d+),expires=(\d+)/gm);
  return [...lines].map(([, number, keys, expires]) => ({
    number: Number(number),
    keys: Number(keys),
    persistent: Number(keys) - Number(expires),
    fieldsExpire: 0,
  }));
}

async function typesOf(server: BenchRedis): Promise<Record<string, number>> {
  const types: Record<string, number> = {};
  for (const { number } of await keyspaceOf(server)) {
    for (const type of ['string', 'list', 'set', 'zset', 'hash', 'stream']) {
      const script = `local found, cursor = 0, '0' repeat local page = redis.call('SCAN', cursor, 'COUNT', 1000, 'TYPE', '${type}') cursor = page[1] found = found + #page[2] until cursor == '0' return found`;
      const found = Number(await server.cli('-n', String(number), 'EVAL', script, '0'));
      if (found > 0) types[type] = (types[type] ?? 0) + found;
    }
  }
  return types;
}
