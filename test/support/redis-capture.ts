// What tests of the Redis engine have in common: a vault, and captures into it.

import type { TestContext } from 'node:test';
import { type CaptureRdbOptions, captureRdb } from '../../src/redis/index.ts';
import type { SnapshotOnCopies, Vault } from '../../src/vault/index.ts';
import type { TestRedis } from './redis-server.ts';
import { snapshotId, type TestVault, testVault } from './vault.ts';

export const CACHE = 'redis/cache';

export interface RedisSetting {
  readonly made: TestVault;
  readonly vault: Vault;
  take(server: TestRedis, number: number, changes?: Partial<CaptureRdbOptions>): Promise<SnapshotOnCopies>;
}

export async function redisSetting(t: TestContext): Promise<RedisSetting> {
  const made = await testVault();
  t.after(() => made[Symbol.asyncDispose]());
  const { vault } = made;
  const take = (server: TestRedis, number: number, changes: Partial<CaptureRdbOptions> = {}) =>
    captureRdb({
      vault,
      server: { source: { url: server.url }, programs: server.programs },
      request: { snapshotId: snapshotId(number), component: CACHE, host: 'db1' },
      signal: new AbortController().signal,
      ...changes,
    });
  return { made, vault, take };
}
