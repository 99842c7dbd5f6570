// The plan of giving back data of Redis: made from the configuration and the vault, frozen once as a record of the run.

import type { RedisSettings } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import type { RestoreRedisInput } from '../domain/operations.ts';
import type { RedisPlan } from '../domain/redis-restore.ts';
import { describeSnapshotTarget, parseSnapshotTarget } from '../domain/snapshot-target.ts';
import { fail, isHoldfastError } from '../errors/index.ts';
import { chooseRedis, planRedis } from '../redis/index.ts';
import type { Vault } from '../vault/index.ts';
import { keepRedisPlan, keptRedisPlan } from './kept-plan.ts';
import { journalPlaces, type RedisRestoring, redisOn, serverOf } from './redis-places.ts';

interface PlanRequest {
  readonly signal: AbortSignal;
  /** Whether keys that match are counted, for a person to see. */
  readonly counts: boolean;
}

export async function planRedisRestore(
  services: RedisRestoring,
  run: string,
  input: RestoreRedisInput,
  { signal, counts }: PlanRequest,
): Promise<RedisPlan> {
  const { configuration, host } = services;
  const { component, to, from } = input;
  const settings = redisOn(services, component);
  const vault = await services.reading();
  const places = journalPlaces(services, settings);
  const target = parseSnapshotTarget(to, configuration.timezone);
  const picked = await chooseRedis(vault, component, target, from);
  return await planRedis({
    ...{ run, component, host, ...picked },
    requested: describeSnapshotTarget(target),
    ...(await serverOf(settings)),
    target: targetOf(settings, input, counts ? vault : undefined),
    signal,
    runs: places.running,
    places: Object.values(places),
  });
}

function targetOf(settings: RedisSettings, { beside, live, pattern }: RestoreRedisInput, vault: Vault | undefined) {
  if (beside !== undefined) return { type: 'beside', ...beside } as const;
  if (live === true) return { type: 'live' } as const;
  if (pattern !== undefined) return { type: 'keys', pattern, ...(vault && { vault }) } as const;
  const { dataDirectory, files, service } = settings;
  const { rdb: rdbFile, appendDirectory, append: appendFile } = files;
  const names = { rdbFile, appendDirectory, appendFile };
  return { type: 'stopped', dataDirectory, names, hasService: service !== undefined } as const;
}

/** With `keep` it is stored as a record of the run, once, and on this host. */
export async function freezeRedisPlan(
  services: RedisRestoring,
  run: string,
  input: RestoreRedisInput,
  { keep, signal }: { readonly keep: boolean; readonly signal: AbortSignal },
): Promise<RedisPlan> {
  const request = { signal, counts: true };
  if (!keep) return await planRedisRestore(services, run, input, request);
  const vault = await services.reading();
  const stored = await vault.getRecord(run, 'plan').catch((error: unknown) => {
    if (isHoldfastError(error, 'NOT_FOUND')) return undefined;
    throw error;
  });
  // An earlier attempt has frozen it: planning again could give another.
  const plan = (stored as RedisPlan | undefined) ?? (await planRedisRestore(services, run, input, request));
  if (stored === undefined) {
    await vault.putRecord(run, 'request', input);
    await vault.putRecord(run, 'plan', plan);
  }
  await keepRedisPlan(services, plan);
  return plan;
}

export async function storedRedisPlan(services: RedisRestoring, run: string): Promise<RedisPlan> {
  return (await (await services.reading()).getRecord(run, 'plan')) as RedisPlan;
}

export interface PlannedRun {
  readonly run: string;
  readonly component: ComponentId;
  readonly planDigest?: string;
}

/** As this host kept it, so that what was begun can be ended while no store answers; else as the vault has it. Throws `PLAN_CHANGED`, `NOT_FOUND`. */
export async function loadRedisPlan(
  services: RedisRestoring,
  { run, component, planDigest }: PlannedRun,
): Promise<RedisPlan> {
  const stored = (await keptRedisPlan(services, run)) ?? (await storedRedisPlan(services, run));
  if (stored.run !== run || stored.component !== component || stored.host !== services.host) {
    fail('PLAN_CHANGED', `the plan that was found is for ${stored.run} of ${stored.component} on '${stored.host}'`);
  }
  if (planDigest !== undefined && stored.digest !== planDigest) {
    fail('PLAN_CHANGED', `the plan of ${run} has digest '${stored.digest}', not '${planDigest}'`);
  }
  return stored;
}
