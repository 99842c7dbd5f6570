// `backup`: takes a base backup now, of one component or of all.

import { z } from 'zod';
import type { RunHandle } from '../../domain/client.ts';
import { exitCodes } from '../../errors/index.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { operationInput } from '../inputs.ts';
import { findDatabases } from '../naming.ts';
import { type Outcome, outcome } from '../result.ts';
import { COMPONENT_HELP, oneComponent } from './typed.ts';

export const backup = defineCommand({
  path: 'backup',
  arguments: '<component...>',
  takes: ['yes', 'dryRun', 'detach'],
  summary: 'take a full base backup now',
  details: `${COMPONENT_HELP} 'all' stands for every component. A backup that is already running is joined.`,
  examples: ['holdfast backup database main', 'holdfast backup all --detach --json'],
  input: z.object({ args: oneComponent }),
  async run({ args }, context) {
    const configuration = await context.configuration();
    const databases = findDatabases(configuration, args);
    const names = databases.map(({ id }) => id).join(', ');
    if (context.options.dryRun) {
      const message = `would take a full base backup of ${names}`;
      return outcome('message', { state: 'completed', dryRun: true, message });
    }
    const client = await context.client();
    const handles: RunHandle[] = [];
    for (const database of databases) {
      const input = operationInput(configuration, database, context.by);
      handles.push(await client.startBackup({ ...input, kind: 'physical' }));
    }
    return followAll(context, handles);
  },
});

async function followAll(context: Context, handles: readonly RunHandle[]): Promise<Outcome> {
  const client = await context.client();
  const outcomes: Outcome[] = [];
  for (const handle of handles) outcomes.push(await followOrDetach(context, client, handle));
  const [only, ...others] = outcomes;
  if (only !== undefined && others.length === 0) return only;
  const worst = outcomes.find(({ exit }) => exit !== exitCodes.done);
  const open = outcomes.find(({ result }) => result.state === 'running' || result.state === 'waiting');
  const state = worst === undefined ? (open?.result.state ?? 'completed') : 'failed';
  const components = outcomes.map(({ result }) => result);
  const several = outcome('several', { state, components }, worst === undefined ? exitCodes.done : exitCodes.failed);
  return outcomes.every(({ followed }) => followed) ? { ...several, followed: true } : several;
}
