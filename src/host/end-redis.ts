// The ends of a restore of Redis, by the journal of its run: a stumbling store must not keep anybody from going back.

import type { ComponentId } from '../domain/component.ts';
import { requireConfirmable, requireWayBack } from '../domain/end-refused.ts';
import type { StoppedServer } from '../domain/run-data.ts';
import { fail, isHoldfastError } from '../errors/index.ts';
import {
  confirmInPlace,
  confirmKeys,
  confirmLive,
  rollbackInPlace,
  rollbackKeys,
  rollbackLive,
  stopBeside,
  undoBeside,
} from '../redis/index.ts';
import { loadRedisPlan } from './plan-redis.ts';
import { inPlaceOf, livePlace, type RedisRestoring, redisOn, touchedBy } from './redis-places.ts';
import { leased } from './restore-guard.ts';

/** What ends a restore is not given up in the middle: whoever is stopped there is begun again. */
const toTheEnd = () => new AbortController().signal;

/** Gives the directory. Throws `NOT_FOUND` for a run without a journal, `JOURNAL_STATE`, and as the engine does. */
export async function rollbackRedis(
  services: RedisRestoring,
  component: ComponentId,
  run: string,
  owner = `rollback of ${run}`,
): Promise<string> {
  const settings = redisOn(services, component);
  const { way, directory, state } = await touchedBy(services, settings, run);
  if (state !== undefined) requireWayBack({ run, component, ...state });
  await leased(services, { dataDirectory: directory, run, owner, undo: true }, async ({ check }) => {
    const signal = toTheEnd();
    if (way === 'stopped') {
      await rollbackInPlace(await inPlaceOf(settings, run, { directory, isAppendOnly: false }, signal, check));
    } else if (way === 'live') await rollbackLive(await livePlace(services, settings, run, signal, check));
    else await rollbackKeys(await livePlace(services, settings, run, signal, check));
  });
  return directory;
}

/** Gives what could not be told of it, too. Throws as `rollbackRedis`. */
export async function confirmRedis(
  services: RedisRestoring,
  component: ComponentId,
  run: string,
): Promise<{ readonly directory: string; readonly warnings: readonly string[] }> {
  const settings = redisOn(services, component);
  const { way, directory, state } = await touchedBy(services, settings, run);
  if (state !== undefined) requireConfirmable({ run, component, ...state });
  const place = { dataDirectory: directory, run, owner: `confirm of ${run}`, undo: false };
  const warnings = await leased(services, place, async ({ check }) => {
    const signal = toTheEnd();
    if (way === 'stopped') {
      return await confirmInPlace(await inPlaceOf(settings, run, { directory, isAppendOnly: false }, signal, check));
    }
    if (way === 'live') await confirmLive(await livePlace(services, settings, run, signal, check));
    else await confirmKeys(await livePlace(services, settings, run, signal, check));
    return [];
  });
  return { directory, warnings };
}

/** As it was before, whatever was done, and nothing where nothing was. */
export async function undoRedis(services: RedisRestoring, component: ComponentId, run: string): Promise<void> {
  const plan = await loadRedisPlan(services, { run, component });
  if (plan.mode === 'beside') {
    const { directory = '' } = plan;
    const place = { dataDirectory: directory, run, owner: run, undo: true };
    return await leased(services, place, () => undoBeside(directory, run));
  }
  try {
    await rollbackRedis(services, component, run, run);
  } catch (error) {
    if (!isHoldfastError(error, 'NOT_FOUND')) throw error;
  }
}

/** Ends the server that a restore left beside; its directory stays. */
export async function stopRedis(services: RedisRestoring, component: ComponentId, run: string): Promise<StoppedServer> {
  const { directory, mode } = await loadRedisPlan(services, { run, component });
  if (mode !== 'beside' || directory === undefined) fail('NOT_FOUND', `${run} has left no server`);
  return { run, dataDirectory: directory, stopped: await stopBeside(directory, run) };
}

export function rollbackRedisWords(run: string, directory: string): string {
  return `what was there before ${run} is back; its journal is below ${directory}`;
}

export function confirmRedisWords(run: string, warnings: readonly string[]): string {
  return [`${run} is confirmed: what was kept was removed`, ...warnings].join('; ');
}
