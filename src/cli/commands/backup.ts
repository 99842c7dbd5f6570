// `backup`: takes a backup of a kind now, of one component or of all.

import { z } from 'zod';
import type { ComponentSettings, Configuration } from '../../../config/index.ts';
import type { HoldfastClient, RunHandle } from '../../domain/client.ts';
import { exitCodes, fail } from '../../errors/index.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { type OperationInput, operationInput } from '../inputs.ts';
import { findComponents } from '../naming.ts';
import { type Outcome, outcome } from '../result.ts';
import { COMPONENT_HELP, oneComponent } from './typed.ts';

interface Kind {
  /** The kind of component that it is a backup of. */
  readonly of: ComponentSettings['kind'];
  readonly what: string;
  readonly start: (client: HoldfastClient, input: OperationInput) => Promise<RunHandle>;
}

/** The first of each kind of component is what is taken where none is named. */
const kinds = {
  physical: {
    of: 'database',
    what: 'take a full base backup',
    start: (client, input) => client.startBackup({ ...input, kind: 'physical' }),
  },
  incremental: {
    of: 'database',
    what: 'take an incremental base backup',
    start: (client, input) => client.startBackup({ ...input, kind: 'incremental' }),
  },
  point: {
    of: 'database',
    what: 'close the log now and show that it is on enough copies',
    start: (client, input) => client.startBackup({ ...input, kind: 'point' }),
  },
  logical: { of: 'database', what: 'dump every database', start: (client, input) => client.startDump(input) },
  rdb: {
    of: 'redis',
    what: 'take a snapshot',
    start: (client, input) => client.startRedisBackup({ ...input, kind: 'rdb' }),
  },
  aof: {
    of: 'redis',
    what: 'capture the append-only files',
    start: (client, input) => client.startRedisBackup({ ...input, kind: 'aof' }),
  },
  files: { of: 'files', what: 'take a snapshot', start: (client, input) => client.startFilesBackup(input) },
  configuration: {
    of: 'configuration',
    what: 'take a snapshot, with its commit in Git',
    start: (client, input) => client.startConfigurationBackup(input),
  },
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
        'of a database: physical (a full base backup, the default), incremental (only what changed is read, and laid over the newest base backup, so that the snapshot is whole; captured in full where that cannot be, with the reason), logical (pg_dump of every database, and the globals), or point (no snapshot: the log is closed now, and shown to follow on a base backup without a gap on the copies that the policy wants); of Redis: rdb (its data now, the default), or aof (its append-only files); of files: files; of configuration: configuration',
    },
  ],
  examples: [
    'holdfast backup database main',
    'holdfast backup database main --kind incremental',
    'holdfast backup database main --kind logical',
    'holdfast backup database main --kind point',
    'holdfast backup redis/cache',
    'holdfast backup files/uploads',
    'holdfast backup configuration/etc',
    'holdfast backup all --detach --json',
  ],
  input: z.object({
    args: oneComponent,
    kind: z.enum(kindNames, { error: `expected one of ${kindNames.join(', ')}` }).optional(),
  }),
  async run({ args, kind }, context) {
    const configuration = await context.configuration();
    const wanted = wantedBackups(configuration, args, kind);
    if (context.options.dryRun) {
      const message = wanted.map(({ settings, kind }) => `would ${kind.what}: ${settings.id}`).join('; ');
      return outcome('message', { state: 'completed', dryRun: true, message });
    }
    const client = await context.client();
    const handles: RunHandle[] = [];
    for (const { settings, kind } of wanted) {
      handles.push(await kind.start(client, operationInput(configuration, settings, context.by)));
    }
    return followAll(context, handles);
  },
});

/** With a kind, of all that has it. Throws `USAGE` where nothing has. */
function wantedBackups(
  configuration: Configuration,
  words: readonly string[],
  name: keyof typeof kinds | undefined,
): { readonly settings: ComponentSettings; readonly kind: Kind }[] {
  const components = findComponents(configuration, words);
  const every: readonly Kind[] = Object.values(kinds);
  const wanted = components.flatMap((settings) => {
    const kind = name === undefined ? every.find(({ of }) => of === settings.kind) : kinds[name];
    return kind?.of === settings.kind ? [{ settings, kind }] : [];
  });
  if (wanted.length > 0) return wanted;
  const ids = components.map(({ id }) => id).join(', ');
  const has = kindNames.filter((each) => components.some(({ kind }) => kind === kinds[each].of));
  return fail('USAGE', `a backup of the kind '${name}' is none of ${ids}`, { hint: `its kinds: ${has.join(', ')}` });
}

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
