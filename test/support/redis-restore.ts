// What tests of restores of Redis have in common: a server with everything, a snapshot of it, what came after, and processes that die on the way.

import assert from 'node:assert/strict';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { tryRun } from '../../src/process/index.ts';
import { RedisConnection } from '../../src/redis/connection/index.ts';
import { identify, type RestoreLiveOptions } from '../../src/redis/index.ts';
import type { SnapshotOnCopies } from '../../src/vault/index.ts';
import { untilFree } from './lock-of-the-dead.ts';
import { type RedisSetting, redisSetting } from './redis-capture.ts';
import { contentOf, fillRich } from './redis-data.ts';
import { type RedisKind, type TestRedis, testRedis } from './redis-server.ts';
import type { DyingRedis } from './restore-redis-and-die.ts';
import { temporaryDirectory } from './temporary.ts';

export const LAYOUT = { rdbFile: 'dump.rdb', appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' };

export async function contentAt(url: string): Promise<string[]> {
  const connection = await RedisConnection.open({ url });
  try {
    return await contentOf(connection);
  } finally {
    connection.close();
  }
}

export interface Captured extends RedisSetting {
  readonly server: TestRedis;
  readonly snapshot: SnapshotOnCopies;
  readonly before: string[];
  readonly after: string[];
}

export async function captured(t: TestContext, kind: RedisKind, settings: readonly string[] = []): Promise<Captured> {
  const server = await testRedis(t, { kind, settings });
  const setting = await redisSetting(t);
  const connection = await server.connect();
  await fillRich(connection, kind);
  const before = await contentOf(connection);
  const snapshot = await setting.take(server, 1);
  await connection.call('change', 'SET', 'string:raw', 'changed later');
  await connection.call('change', 'DEL', 'set:intset');
  await connection.call('change', 'SET', 'made later', '1');
  const after = await contentOf(connection);
  connection.close();
  assert.notDeepEqual(before, after);
  return { ...setting, server, snapshot, before, after };
}

export type LiveSetting = Omit<RestoreLiveOptions, 'vault' | 'snapshot'>;

export async function livePlace(t: TestContext, server: TestRedis): Promise<LiveSetting> {
  const connection = await server.connect();
  const { runId } = await identify(connection);
  connection.close();
  const directory = path.join(await temporaryDirectory(t), 'state', 'restore-00000001');
  const signal = new AbortController().signal;
  return { directory, source: { url: server.url }, programs: server.programs, runId, signal };
}

type Asked = Omit<DyingRedis, 'keyFile' | 'copy' | 'url' | 'programs'>;

/** True when it was killed where it was told to, false when it came to its end before. */
export async function dying({ made, server }: Pick<Captured, 'made' | 'server'>, asked: Asked): Promise<boolean> {
  const { url, programs } = server;
  const whole: DyingRedis = { keyFile: made.keyFile, copy: made.path('local'), url, programs, ...asked };
  const program = path.resolve(import.meta.dirname, 'restore-redis-and-die.ts');
  const { exitCode, signal, stderrTail } = await tryRun(process.execPath, [program, JSON.stringify(whole)], {
    deadlineMs: 300_000,
  });
  assert.ok(exitCode === 0 || signal === 'SIGKILL', stderrTail);
  await untilFree(path.join(asked.directory, asked.what === 'live' ? 'lock' : '.holdfast/lock'));
  return signal === 'SIGKILL';
}
