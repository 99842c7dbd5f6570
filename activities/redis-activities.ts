// Activities of Redis: thin over the engine.

import { stateDirectoryOf } from '../config/index.ts';
import { bytesText } from '../src/domain/size.ts';
import { redisWarnings } from '../src/domain/snapshot-words.ts';
import { observeHeads } from '../src/host/put-back.ts';
import { serverOf } from '../src/host/redis-places.ts';
import { summarizeSnapshot } from '../src/host/snapshot-summary.ts';
import { captureRdb } from '../src/redis/index.ts';
import type { SnapshotId } from '../src/vault/index.ts';
import type { RedisActivities } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import { type HostServices, redisOf } from './lib/host-services.ts';
import { createRedisRestoreActivities } from './redis-restore-activities.ts';

export function createRedisActivities(services: HostServices): RedisActivities {
  const { frame, host, configuration } = services;
  return {
    captureRedis: ({ component, snapshot }) =>
      runActivity(frame, async ({ signal, report }) => {
        const { way } = redisOf(services, component);
        const vault = await services.vault();
        // Before anything is added: a snapshot with a higher number would hide that a copy was put back.
        await observeHeads(vault, stateDirectoryOf(configuration, host));
        report({ note: 'waiting for the server to begin' });
        const taken = await captureRdb({
          ...{ vault, way, signal },
          server: await serverOf(redisOf(services, component)),
          request: { snapshotId: snapshot as SnapshotId, component, host },
          onProgress: (bytes) => report({ note: `${bytesText(bytes)} received and checked` }),
        });
        const summary = summarizeSnapshot(taken);
        const warnings = redisWarnings(summary.redis);
        return { snapshot: summary, ...(warnings.length === 0 ? {} : { warnings }) };
      }),
    ...createRedisRestoreActivities(services),
  };
}
