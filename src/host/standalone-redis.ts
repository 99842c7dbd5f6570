// A restore of Redis in place, ended by the journal of its run: found, finished, undone or accepted.

import path from 'node:path';
import type { RedisSettings } from '../../config/index.ts';
import { fail } from '../errors/index.ts';
import { allRuns, isListOfKeys } from '../redis/index.ts';
import { confirmRedis, confirmRedisWords, rollbackRedis, rollbackRedisWords } from './end-redis.ts';
import { loadRedisPlan } from './plan-redis.ts';
import { journalPhase, journalPlaces } from './redis-places.ts';
import { giveRedis } from './restore-redis.ts';
import type { Found, JournaledKind, StandaloneServices } from './standalone-kind.ts';

export const standaloneRedis: JournaledKind<RedisSettings> = {
  operation: 'restoreRedis',
  async find(settings, services) {
    const { stopped, running } = journalPlaces(services, settings);
    const left = [...(stopped === undefined ? [] : await allRuns(stopped)), ...(await allRuns(running))];
    const found = left.map(
      async ({ run, phase, directory, at }): Promise<Found> => ({
        ...{ run, component: settings.id, dataDirectory: directory, lastStep: phase, at },
        phase: journalPhase(phase),
        way: path.dirname(directory) === stopped ? 'stopped' : (await isListOfKeys(directory)) ? 'keys' : 'live',
      }),
    );
    return (await Promise.all(found)).sort((a, b) => (a.at < b.at ? -1 : 1));
  },
  journals: (settings, services) => Object.values(journalPlaces(services, settings)).map((place) => `'${place}'`),
  async rollback(services, { id }, { run }, owner) {
    return { message: rollbackRedisWords(run, await rollbackRedis(services, id, run, owner)) };
  },
  async confirm(services, { id }, { run }) {
    const { warnings } = await confirmRedis(services, id, run);
    return { message: confirmRedisWords(run, warnings) };
  },
  async resume(services: StandaloneServices, { id: component }, { run }) {
    const plan = await loadRedisPlan(services, { run, component });
    if (plan.mode === 'beside') fail('JOURNAL_STATE', `'${run}' is a restore beside: start it again`);
    const onNote = (words: string) => services.onStep?.(words);
    const given = await giveRedis(services, plan, { signal: new AbortController().signal, onNote });
    return {
      message: `${component} as of ${plan.snapshot.to} is in place; what was there is kept until \`holdfast confirm ${run}\``,
      data: { redisPlan: plan, given },
    };
  },
};
