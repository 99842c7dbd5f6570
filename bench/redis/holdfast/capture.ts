// A snapshot as the activity takes it, and the look at it after the commit.

import { randomBytes } from 'node:crypto';
import { serverOf } from '../../../src/host/redis-places.ts';
import { captureRdb } from '../../../src/redis/index.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { HOST, Steps, withVault } from '../../lib/driver.ts';
import type { Operation } from './operation.ts';

export const capture: Operation = async ({ configuration, redis, steps: file }) => {
  const steps = new Steps(file);
  await withVault(configuration, 'backup', async (vault) => {
    steps.done('open');
    const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
    let lastMs: number | undefined;
    const { id } = await captureRdb({
      ...{ vault, way: redis.way, server: await serverOf(redis), signal: new AbortController().signal },
      request: {
        snapshotId: `${stamp}Z-${randomBytes(4).toString('hex')}` as SnapshotId,
        component: redis.id,
        host: HOST,
      },
      onProgress: () => {
        if (lastMs === undefined) steps.done('begin');
        lastMs = performance.now();
      },
    });
    steps.done('read', lastMs);
    steps.done('commit');
    for (const { name } of vault.copies) await vault.verifyCopy(redis.id, id, name);
    steps.done('look again');
  });
  await steps.write();
};
