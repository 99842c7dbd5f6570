// Schedules of an estate where the server's list lags behind: what was just made is no work to be done again, what was just removed is no error.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, type ScheduleDescription, ScheduleNotFoundError, type ScheduleOptions } from '@temporalio/client';
import { parseConfiguration } from '../../../config/index.ts';
import { applySchedules, listSchedules } from '../../../src/temporal/schedules.ts';
import { FILE, minimal } from '../../support/configuration.ts';

const configured = (backup: string) =>
  parseConfiguration(minimal.replace('url: "env:DATABASE_URL"', `url: "env:DATABASE_URL"${backup}`), FILE);
const daily = configured(', backup: { full: every 24h }');

/** A server whose list says what the test says, and whose schedules are there or not by themselves. */
function serverWith(listed: () => readonly string[]) {
  const made = new Map<string, ScheduleOptions>();
  const describe = async (scheduleId: string) => {
    const options = made.get(scheduleId);
    if (options === undefined) throw new ScheduleNotFoundError('it is not there', scheduleId);
    const { spec, action, policies, state } = options;
    const timed = { ...spec, calendars: [], timezone: spec.timezone };
    return { scheduleId, spec: timed, action, policies, state, info: seen } as unknown as ScheduleDescription;
  };
  const missed = { numActionsMissedCatchupWindow: 0, numActionsSkippedOverlap: 0 };
  const seen = { nextActionTimes: [], recentActions: [], runningActions: [], ...missed };
  const schedule = {
    list: async function* () {
      for (const scheduleId of listed()) yield { scheduleId };
    },
    create: async (options: ScheduleOptions) => {
      assert.ok(!made.has(options.scheduleId), 'it is there already');
      made.set(options.scheduleId, options);
    },
    getHandle: (scheduleId: string) => ({
      describe: () => describe(scheduleId),
      delete: async () => void made.delete(scheduleId),
    }),
  };
  return { made, client: { schedule } as unknown as Client };
}

test('what is not listed yet is found by its name, and is not made a second time', async () => {
  const { client, made } = serverWith(() => []);
  const changesOf = async () => (await applySchedules(client, daily, { dryRun: false })).map(({ change }) => change);
  assert.deepEqual(await changesOf(), ['created']);
  assert.deepEqual(await changesOf(), ['unchanged']);
  assert.equal(made.size, 1);
  const [status] = await listSchedules(client, daily);
  assert.deepEqual([status?.kind, status?.drift], ['full', undefined]);
});

test('what is still listed and was removed is no schedule', async () => {
  const listed: string[] = [];
  const { client, made } = serverWith(() => listed);
  await applySchedules(client, daily, { dryRun: false });
  listed.push(...made.keys());
  const without = configured('');
  const changes = await applySchedules(client, without, { dryRun: false });
  assert.deepEqual(
    changes.map(({ change }) => change),
    ['removed'],
  );
  assert.deepEqual(await applySchedules(client, without, { dryRun: false }), []);
  assert.deepEqual(await listSchedules(client, without), []);
});
