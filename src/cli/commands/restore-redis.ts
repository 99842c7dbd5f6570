// `restore redis/NAME`: data of a server as a snapshot has it: beside, into the stopped server, live, or the keys that match.

import path from 'node:path';
import { z } from 'zod';
import type { RedisSettings } from '../../../config/index.ts';
import type { RestoreRedisInput } from '../../domain/operations.ts';
import type { RedisPlan } from '../../domain/redis-restore.ts';
import { parseSnapshotTarget } from '../../domain/snapshot-target.ts';
import { fail, fromErrorData } from '../../errors/index.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import type { CommandOption } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { operationInput } from '../inputs.ts';
import { checkCopy } from '../naming.ts';
import { renderRedisPlan } from '../render/redis.ts';
import { errorOutcome, type Outcome, outcome } from '../result.ts';

/** Options that only Redis takes. */
export const redisOptions = {
  live: z.boolean().optional(),
  key: z.string().min(1, { error: 'expected a pattern' }).optional(),
};

export const redisFlags: readonly CommandOption[] = [
  { flags: '--live', description: 'of Redis: the running server takes the data, without a restart' },
  {
    flags: '--key <PATTERN>',
    description:
      "of Redis: only the keys that match, as SCAN takes patterns, such as 'session:*'; into the running server",
  },
];

interface Typed {
  readonly to?: string | undefined;
  readonly from?: string | undefined;
  readonly beside?: string | undefined;
  readonly start?: boolean | undefined;
  readonly live?: boolean | undefined;
  readonly key?: string | undefined;
}

/** Throws `USAGE` for an option that only Redis takes. */
export function refuseRedisOptions(typed: Typed): void {
  const given = (['live', 'key'] as const).find((name) => typed[name] !== undefined);
  if (given !== undefined) fail('USAGE', `'--${given}' goes together with a component of Redis`);
}

/** What means something for other kinds alone. */
const notForRedis = [
  ...['standby', 'deep', 'exclusive', 'timeline', 'database', 'schema', 'table'],
  ...['into', 'as', 'replace', 'globals', 'path', 'pattern'],
] as const;

export async function restoreRedis(typed: Typed, redis: RedisSettings, context: Context): Promise<Outcome> {
  const request = await makeRequest(typed, redis, context);
  const { timezone } = await context.configuration();
  const client = await context.client();
  if (context.options.dryRun) return planned(await client.planRedis(request));
  if (request.beside !== undefined || context.options.yes) {
    return followOrDetach(context, client, await client.startRedisRestore(request));
  }
  const plan = await client.planRedis(request);
  for (const line of renderRedisPlan(plan, timezone)) context.note(line);
  const [blocker] = plan.blockers ?? [];
  if (blocker !== undefined) throw fromErrorData(blocker);
  await confirmByTyping(context, 'proceed? type the name of the component: ', [redis.id, redis.name]);
  return followOrDetach(context, client, await client.startRedisRestore({ ...request, planDigest: plan.digest }));
}

async function makeRequest(typed: Typed, redis: RedisSettings, context: Context): Promise<RestoreRedisInput> {
  const given: Readonly<Record<string, unknown>> = { ...typed };
  const wrong = notForRedis.find((name) => given[name] !== undefined);
  if (wrong !== undefined) fail('USAGE', `'--${wrong}' means nothing for '${redis.id}'`);
  const ways = ['beside', 'live', 'key'].filter((name) => given[name] !== undefined);
  if (ways.length > 1) fail('USAGE', `'--${ways.join("' and '--")}' do not go together`);
  const configuration = await context.configuration();
  const { approval, timezone } = configuration;
  const to = typed.to?.trim() ?? 'latest';
  parseSnapshotTarget(to, timezone);
  checkCopy(typed.from, configuration);
  return {
    ...operationInput(configuration, redis, context.by),
    to,
    approval: typed.beside === undefined ? approval.restoreInPlace : 'never',
    approveWithinSeconds: approval.withinSeconds,
    ...(typed.from === undefined ? {} : { from: typed.from }),
    ...(typed.live === true ? { live: true } : {}),
    ...(typed.key === undefined ? {} : { pattern: typed.key }),
    ...(typed.beside === undefined
      ? {}
      : { beside: { directory: path.resolve(typed.beside), start: typed.start === true } }),
  };
}

/** A plan that something is in the way of ends as the restore would, after all that it can tell. */
function planned(redisPlan: RedisPlan): Outcome {
  const [blocker] = redisPlan.blockers ?? [];
  if (blocker === undefined) return outcome('redis plan', { state: 'completed', dryRun: true, redisPlan });
  const { result, exit } = errorOutcome(fromErrorData(blocker));
  return outcome('redis plan', { ...result, dryRun: true, redisPlan }, exit);
}
