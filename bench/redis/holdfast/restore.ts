// `restore … --beside DIR --start`, as the workflow does it: planned, then given back under the lease; the server runs when it has ended.

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { fail } from '../../../src/errors/index.ts';
import { freezeRedisPlan } from '../../../src/host/plan-redis.ts';
import { giveRedis } from '../../../src/host/restore-redis.ts';
import { HOST, logger, Steps, withVault } from '../../lib/driver.ts';
import type { Operation } from './operation.ts';

export const restore: Operation = async ({ configuration, redis, target, report, steps: file }) => {
  const steps = new Steps(file);
  const { signal } = new AbortController();
  await withVault(configuration, 'restore', async (vault) => {
    steps.done('open');
    const services = { configuration, host: HOST, logger, vault: async () => vault, reading: async () => vault };
    const run = `restore-${randomBytes(4).toString('hex')}`;
    const input = {
      ...{ estate: configuration.name, component: redis.id, host: HOST, to: 'latest' },
      ...{ beside: { directory: target, start: true }, approveWithinSeconds: 0 },
      approval: 'never',
    } as const;
    const plan = await freezeRedisPlan(services, run, input, { keep: true, signal });
    const [blocker] = plan.blockers ?? [];
    if (blocker !== undefined) fail('CHECK_FAILED', `the plan is blocked: ${blocker.message}`);
    steps.done('plan');
    const { connection, proof } = await giveRedis(services, plan, {
      signal,
      onNote: () => steps.done('fetch'),
    });
    steps.done('sync, check, load, compare');
    if (!proof.hasCompared) fail('CHECK_FAILED', 'nothing was compared');
    await writeFile(report, JSON.stringify({ connection }));
  });
  await steps.write();
};
