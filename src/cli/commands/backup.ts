// `backup`: takes a backup of a kind now, of one component or of all.

import { z } from 'zod';
import type { HoldfastClient, RunHandle } from '../../domain/client.ts';
import { exitCodes } from '../../errors/index.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { type OperationInput, operationInput } from '../inputs.ts';
import { findDatabases } from '../naming.ts';
import { type Outcome, outcome } from '../result.ts';
import { COMPONENT_HELP, oneComponent } from './typed.ts';

interface Kind {
  readonly what: string;
  readonly start: (client: HoldfastClient, input: OperationInput) => Promise<RunHandle>;
}

const kinds = {
  physical: {
    what: 'take a full base backup',
    start: (client, input) => client.startBackup({ ...input, kind: 'physical' }),
  },
  incremental: {
    what: 'take an incremental base backup',
    start: (client, input) => client.startBackup({ ...input, kind: 'incremental' }),
  },
  point: {
    what: 'close the log now and show that it is on enough copies',
    start: (client, input) => client.startBackup({ ...input, kind: 'point' }),
  },
  logical: { what: 'dump every database', start: (client, input) => client.startDump(input) },
} as const satisfies Readonly<Record<string, Kind>>;
const kindNames = Object.keys(kinds) as (keyof typeof kinds)[];

export const backup = defineCommand({
  path: 'backup',
  arguments: '<component...>',
  takes: ['yes', 'dryRun', 'detach'],
  summary: 'take a backup now',
  details: `${COMPONENT_HELP} 'all' stands for every component. A backup of the same kind that is already running is joined.`,
  options: [
    {
      flags: '--kind <KIND>',
      description:
        'physical (a full base backup, the default), incremental (only what changed is read, and laid over the newest base backup, so that the snapshot is whole; captured in full where that cannot be, with the reason), logical (pg_dump of every database, and the globals), or point (no snapshot: the log is closed now, and shown to follow on a base backup without a gap on the copies that the policy wants)',
    },
  ],
  examples: [
    'holdfast backup database main',
    'holdfast backup database main --kind incremental',
    'holdfast backup database main --kind logical',
    'holdfast backup database main --kind point',
    'holdfast backup all --detach --json',
  ],
  input: z.object({
    args: oneComponent,
    kind: z.enum(kindNames, { error: `expected one of ${kindNames.join(', ')}` }).default('physical'),
  }),
  async run({ args, kind }, context) {
    const { what, start } = kinds[kind];
    const configuration = await context.configuration();
    const databases = findDatabases(configuration, args);
    const names = databases.map(({ id }) => id).join(', ');
    if (context.options.dryRun) {
      const message = `would ${what}: ${names}`;
      return outcome('message', { state: 'completed', dryRun: true, message });
    }
    const client = await context.client();
    const handles: RunHandle[] = [];
    for (const database of databases) {
      const input = operationInput(configuration, database, context.by);
      handles.push(await start(client, input));
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
