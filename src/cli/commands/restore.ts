// `restore`: recovers a component to a moment, in place after a plan and a yes, or beside without touching production.

import path from 'node:path';
import { z } from 'zod';
import type { Configuration, DatabaseSettings } from '../../../config/index.ts';
import type { HoldfastClient } from '../../domain/client.ts';
import type { RestoreDatabaseInput } from '../../domain/operations.ts';
import type { PlanSummary } from '../../domain/plan-summary.ts';
import { parseTarget } from '../../domain/target.ts';
import { fromErrorData } from '../../errors/index.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { operationInput } from '../inputs.ts';
import { checkCopy, findComponent } from '../naming.ts';
import { renderPlan } from '../render/plan.ts';
import { errorOutcome, type Outcome, outcome } from '../result.ts';
import { isDump, loadFlags, loadFromDump, loadOptions, refuseLoadOptions } from './restore-dump.ts';
import { filesFlags, filesOptions, refuseFilesOptions, restoreFiles } from './restore-files.ts';
import { isPart, partFlags, partOptions, restorePart } from './restore-part.ts';
import { redisFlags, redisOptions, refuseRedisOptions, restoreRedis } from './restore-redis.ts';
import { COMPONENT_HELP, oneComponent } from './typed.ts';

const input = z
  .object({
    args: oneComponent,
    to: z.string().optional(),
    beside: z.string().min(1, { error: 'name a directory' }).optional(),
    start: z.boolean().optional(),
    standby: z.boolean().optional(),
    deep: z.boolean().optional(),
    exclusive: z.boolean().optional(),
    timeline: z
      .string()
      .regex(/^[1-9]\d{0,9}$/, { error: 'expected the number of a timeline, such as 2' })
      .transform(Number)
      .optional(),
    from: z.string().optional(),
    ...loadOptions,
    ...partOptions,
    ...filesOptions,
    ...redisOptions,
  })
  .refine(({ start, beside }) => start !== true || beside !== undefined, {
    path: ['start'],
    error: "only together with '--beside DIR': a restore in place always starts the server",
  })
  .refine(({ to, standby }) => to !== undefined || standby === true, {
    path: ['to'],
    error: "say what to recover to, for example '--to 2026-11-23T05:59:59Z' or '--to latest'",
  })
  .refine(({ standby, beside }) => standby !== true || beside !== undefined, {
    path: ['standby'],
    error: "only together with '--beside DIR': a standby stands beside its primary",
  })
  .refine(
    ({ standby, to, exclusive, timeline }) =>
      standby !== true || [to ?? 'latest', exclusive, timeline].every(isAtTheEnd),
    {
      path: ['standby'],
      error: "follows its primary from the end of the log: without '--to', '--exclusive' and '--timeline'",
    },
  )
  .refine(({ deep, beside, standby }) => deep !== true || (beside !== undefined && standby !== true), {
    path: ['deep'],
    error: "only together with '--beside DIR', and not for a standby: in place it would keep production waiting",
  });

const isAtTheEnd = (value: unknown) => value === undefined || value === 'latest';

type RestoreInput = z.output<typeof input>;

export const restore = defineCommand({
  path: 'restore',
  arguments: '<component...>',
  takes: ['yes', 'dryRun', 'detach'],
  summary: 'recover a component to a moment',
  details: [
    COMPONENT_HELP,
    'In place, the plan is shown first and asks for the name of the component; the old data is kept until `holdfast confirm`, and `holdfast rollback` goes back to it.',
    "TARGET is a moment in ISO 8601 (without a zone: the estate's own), lsn:POSITION, xid:NUMBER, name:RESTORE-POINT, latest, or immediate (as soon as consistent); or dump:latest, dump:SNAPSHOT.",
    'With --table or --into one table or one database is brought back into the running server, which goes on meanwhile: the moment is recovered beside, in a throwaway server (in DATA-DIRECTORY.clone, or in --beside DIR) that is removed again.',
    'Of files and of configuration, TARGET is a moment (the newest snapshot that was complete by then), latest, or snapshot:ID; what is given back can be narrowed by --path and --pattern. In place, what is taken away or replaced is kept until `holdfast confirm`.',
    'Of Redis, TARGET is the same. In place means into the stopped server, by its service; with --live the running server takes the data, with --key only the keys that match. What was there is kept until `holdfast confirm`. Keys whose time is over do not come back.',
    'From a dump a database, a schema or a table is loaded into a new database, or into one that has none of it; nothing that is there is changed. The plan tells what it needs and what stays out.',
  ].join('\n'),
  options: [
    { flags: '--to <TARGET>', description: 'what to recover to' },
    {
      flags: '--beside <DIR>',
      description: 'recover into a new directory on the component’s host; production is not touched',
    },
    { flags: '--start', description: 'with --beside: leave the recovered server running and give its connection' },
    {
      flags: '--standby',
      description:
        'with --beside: leave a standby there that follows the primary, with a slot of its own; `holdfast stop` ends both',
    },
    {
      flags: '--deep',
      description: 'with --beside: also compare every index with its table (pg_amcheck) and read every row (pg_dump)',
    },
    { flags: '--exclusive', description: 'stop just before the target instead of just after it' },
    {
      flags: '--timeline <N>',
      description: 'follow this timeline of the log; needed only when several have the target',
    },
    {
      flags: '--from <COPY>',
      description: 'read from this copy: refused where it cannot serve (else the nearest complete one is taken)',
    },
    ...loadFlags,
    ...partFlags,
    ...filesFlags,
    ...redisFlags,
  ],
  examples: [
    'holdfast restore database main --to 2026-11-23T05:59:59Z',
    'holdfast restore database main --to 2026-11-23T05:59:59Z --dry-run',
    'holdfast restore database main --to latest --beside /srv/recovered --start --json',
    'holdfast restore database main --beside /srv/standby --standby',
    'holdfast restore database main --to latest --beside /srv/drill --deep',
    'holdfast restore database main --to 2026-11-23T05:59:59Z --database bank --table ledger.entries --as entries_then',
    'holdfast restore database main --to 2026-11-23T05:59:59Z --database bank --table ledger.entries --replace',
    'holdfast restore database main --to 2026-11-23T05:59:59Z --database bank --into bank_then',
    'holdfast restore database main --to dump:latest --database bank --table ledger.entries --into look',
    'holdfast restore files uploads --to 2026-11-23T05:59:59Z --path /srv/uploads/2026 --dry-run',
    'holdfast restore files uploads --to latest --beside /srv/look',
    'holdfast restore redis cache --to latest --live',
    "holdfast restore redis cache --to 2026-11-23T05:59:59Z --key 'session:*'",
    'holdfast restore configuration etc --to latest --path /etc/postgresql',
  ],
  bytes: ['path', 'pattern'],
  input,
  async run(typed, context) {
    const configuration = await context.configuration();
    const component = findComponent(configuration, typed.args);
    if (component.kind === 'redis') return restoreRedis(typed, component, context);
    refuseRedisOptions(typed);
    if (component.kind !== 'database') return restoreFiles(typed, component, context);
    refuseFilesOptions(typed);
    const database = component;
    const { to } = typed;
    if (to !== undefined && isDump(to)) return loadFromDump({ ...typed, to }, database, context);
    if (isPart(typed)) return restorePart(typed, database, context);
    refuseLoadOptions(typed);
    const request = makeRequest(typed, configuration, database, context.by);
    const client = await context.client();
    if (context.options.dryRun) {
      return planned(await client.plan(request));
    }
    const seen =
      request.beside === undefined && !context.options.yes ? await showAndAsk(context, client, request) : undefined;
    const bound = seen === undefined ? request : { ...request, planDigest: seen.digest };
    return followOrDetach(context, client, await client.startRestore(bound));
  },
});

/** A plan that something is in the way of ends as the restore would, after all that it can tell. */
function planned(plan: PlanSummary): Outcome {
  const [blocker] = plan.blockers ?? [];
  if (blocker === undefined) return outcome('plan', { state: 'completed', dryRun: true, plan });
  const { result, exit } = errorOutcome(fromErrorData(blocker));
  return outcome('plan', { ...result, dryRun: true, plan }, exit);
}

function makeRequest(
  typed: RestoreInput,
  configuration: Configuration,
  database: DatabaseSettings,
  by: string,
): RestoreDatabaseInput {
  const to = typed.to?.trim() ?? 'latest';
  parseTarget(to, configuration.timezone);
  checkCopy(typed.from, configuration);
  const { approval } = configuration;
  return {
    ...operationInput(configuration, database, by),
    to,
    approval: typed.beside === undefined ? approval.restoreInPlace : 'never',
    approveWithinSeconds: approval.withinSeconds,
    ...(typed.exclusive === true ? { exclusive: true } : {}),
    ...(typed.deep === true ? { deep: true } : {}),
    ...(typed.timeline === undefined ? {} : { timeline: typed.timeline }),
    ...(typed.from === undefined ? {} : { from: typed.from }),
    ...(typed.beside === undefined
      ? {}
      : {
          beside: {
            directory: path.resolve(typed.beside),
            start: typed.start === true || typed.standby === true,
            ...(typed.standby === true ? { standby: true } : {}),
          },
        }),
  };
}

async function showAndAsk(
  context: Context,
  client: HoldfastClient,
  request: RestoreDatabaseInput,
): Promise<PlanSummary> {
  const { timezone } = await context.configuration();
  const plan = await client.plan(request);
  for (const line of renderPlan(plan, timezone)) context.note(line);
  const [blocker] = plan.blockers ?? [];
  if (blocker !== undefined) throw fromErrorData(blocker);
  const short = request.component.slice(request.component.indexOf('/') + 1);
  await confirmByTyping(context, 'proceed? type the name of the component: ', [request.component, short]);
  return plan;
}
