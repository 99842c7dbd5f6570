// `schedules`: the lines of the configuration that say when, as Temporal Schedules.

import { z } from 'zod';
import { exitCodes } from '../../errors/index.ts';
import { defineCommand } from '../define.ts';
import { outcome } from '../result.ts';
import { noArguments } from './typed.ts';

export const schedulesApply = defineCommand({
  path: 'schedules apply',
  arguments: '',
  takes: ['yes', 'dryRun'],
  summary: 'make the Temporal Schedules what the configuration says',
  details: 'With --dry-run it says what it would make, change and remove.',
  examples: ['holdfast schedules apply', 'holdfast schedules apply --dry-run'],
  input: z.object({ args: noArguments }),
  async run(_, context) {
    const client = await context.client();
    const { dryRun } = context.options;
    const schedules = await client.applySchedules({ dryRun });
    return outcome('schedules', { state: 'completed', ...(dryRun ? { dryRun: true as const } : {}), schedules });
  },
});

export const schedulesList = defineCommand({
  path: 'schedules list',
  arguments: '',
  takes: [],
  summary: 'show the schedules, when each runs next, and what was missed',
  found: 'one is paused, has missed a run, or is not what the configuration says',
  examples: ['holdfast schedules list'],
  input: z.object({ args: noArguments }),
  async run(_, context) {
    const client = await context.client();
    const schedules = await client.listSchedules();
    const good = schedules.every(({ paused, missed, drift }) => !paused && missed === 0 && drift === undefined);
    return outcome('schedules', { state: 'completed', schedules }, good ? exitCodes.done : exitCodes.found);
  },
});
