// Activities of giving back data of Redis: thin over what the host does with it.

import { fail } from '../src/errors/index.ts';
import {
  confirmRedis,
  confirmRedisWords,
  rollbackRedis,
  rollbackRedisWords,
  stopRedis,
  undoRedis,
} from '../src/host/end-redis.ts';
import { freezeRedisPlan, loadRedisPlan, planRedisRestore, storedRedisPlan } from '../src/host/plan-redis.ts';
import type { RedisRestoring } from '../src/host/redis-places.ts';
import { giveRedis } from '../src/host/restore-redis.ts';
import type { RedisActivities, RestoreEnd, RunOnHost } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import type { HostServices } from './lib/host-services.ts';

export function createRedisRestoreActivities(services: HostServices): Omit<RedisActivities, 'captureRedis'> {
  const { frame } = services;
  const restoring = restoringOf(services);
  return {
    planRedis: ({ run, input, keep }) =>
      runActivity(frame, ({ signal }) => freezeRedisPlan(restoring, run, input, { keep, signal })),
    recheckRedis: ({ run, input }) =>
      runActivity(frame, async ({ signal }) => {
        const shown = await storedRedisPlan(restoring, run);
        const now = await planRedisRestore(restoring, run, input, { signal, counts: false });
        if (shown.digest === now.digest) return;
        fail('PLAN_CHANGED', `the plan now has digest '${now.digest}', not '${shown.digest}' as shown`);
      }),
    restoreRedis: (request) =>
      runActivity(frame, async ({ signal, report }) => {
        const frozen = await loadRedisPlan(restoring, request);
        return await giveRedis(restoring, frozen, { signal, onNote: (note) => report({ note }) });
      }),
    undoRedis: ({ component, run }) => runActivity(frame, () => undoRedis(restoring, component, run)),
    stopRedis: ({ component, run }) => runActivity(frame, () => stopRedis(restoring, component, run)),
  };
}

export async function endRedisBack(services: HostServices, { component, run }: RunOnHost): Promise<RestoreEnd> {
  const dataDirectory = await rollbackRedis(restoringOf(services), component, run);
  return { dataDirectory, message: rollbackRedisWords(run, dataDirectory) };
}

export async function endRedisConfirmed(services: HostServices, { component, run }: RunOnHost): Promise<RestoreEnd> {
  const { directory, warnings } = await confirmRedis(restoringOf(services), component, run);
  return { dataDirectory: directory, message: confirmRedisWords(run, warnings) };
}

function restoringOf(services: HostServices): RedisRestoring {
  return { ...services, vault: () => services.vault(), reading: () => services.vault('restore') };
}
