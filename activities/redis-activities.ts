// Activities of Redis: thin over the engine.

import { stateDirectoryOf } from '../config/index.ts';
import { bytesText } from '../src/domain/size.ts';
import { redisWarnings } from '../src/domain/snapshot-words.ts';
import { observeHeads } from '../src/host/put-back.ts';
import { appendOnlyOf, serverOf } from '../src/host/redis-places.ts';
import { summarizeSnapshot } from '../src/host/snapshot-summary.ts';
import { captureAof, captureRdb } from '../src/redis/index.ts';
import type { SnapshotId } from '../src/vault/index.ts';
import type { RedisActivities } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import { type HostServices, redisOf } from './lib/host-services.ts';
import { createRedisRestoreActivities } from './redis-restore-activities.ts';

export function createRedisActivities(services: HostServices): RedisActivities {
  const { frame, host, configuration } = services;
  return {
    captureRedis: ({ component, snapshot, kind }) =>
      runActivity(frame, async ({ signal, report }) => {
        const settings = redisOf(services, component);
        const vault = await services.vault();
        // Before anything is added: a snapshot with a higher number would hide that a copy was put back.
        await observeHeads(vault, stateDirectoryOf(configuration, host));
        const common = {
          ...{ vault, signal },
          server: await serverOf(settings),
          request: { snapshotId: snapshot as SnapshotId, component, host },
          onProgress: (bytes: number) => report({ note: `${bytesText(bytes)} read and checked` }),
        };
        const taken =
          kind === 'rdb'
            ? await captureRdb({ ...common, way: settings.way })
            : await captureAof({ ...common, place: appendOnlyOf(settings) });
        const summary = summarizeSnapshot(taken);
        const warnings = redisWarnings(summary.redis);
        return { snapshot: summary, ...(warnings.length === 0 ? {} : { warnings }) };
      }),
    ...createRedisRestoreActivities(services),
  };
}
