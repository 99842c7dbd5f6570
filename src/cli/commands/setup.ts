// `setup`: makes an estate ready, step by step: keys, copies, vault, slots, then schedules and the shipping of the log.

import { z } from 'zod';
import { absoluteReference, type Configuration, referenceProblem } from '../../../config/index.ts';
import type { SetupStep } from '../../domain/setup-report.ts';
import { exitCodes, fromErrorData } from '../../errors/index.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { outcome, stateOf } from '../result.ts';
import { noArguments } from './typed.ts';

/** As typed after `--admin`; the url itself is never in argv. */
const adminOption = z.string().transform((text, context) => {
  const match = /^(?:([a-z0-9][a-z0-9-]*)=)?(.+)$/.exec(text);
  const problem = referenceProblem(match?.[2] ?? '');
  if (problem !== undefined)
    context.addIssue({ code: 'custom', message: 'expected a reference, env:NAME or file:PATH' });
  const reference = absoluteReference(match?.[2] ?? '', process.cwd());
  return match?.[1] === undefined ? { reference } : { name: match[1], reference };
});

export const setup = defineCommand({
  path: 'setup',
  arguments: '',
  takes: ['yes', 'dryRun'],
  summary: 'make the vault, the slots and the schedules of the configuration; tell what is missing',
  details:
    'Run it on every host that has a database. It can be repeated: what is there stays. A key file that is not there is made only with --yes, and never when a copy holds a vault.',
  options: [
    {
      flags: '--admin <[NAME=]REFERENCE>',
      description:
        'reference to the url of a superuser (env:NAME, file:/path), for role, rights and settings that the server lacks: shown with --dry-run, run with --yes; NAME where this host has several databases',
    },
    { flags: '--host <NAME>', description: 'which of the configured hosts this is (else the only one, or its name)' },
    {
      flags: '--allow-unlimited-slot',
      description: 'accept a server whose slots may fill its disk (max_slot_wal_keep_size = -1)',
    },
  ],
  examples: [
    'holdfast setup --dry-run',
    'holdfast setup --yes',
    'holdfast setup --admin env:ADMIN_URL --dry-run',
    'holdfast setup --admin env:ADMIN_URL --yes',
  ],
  input: z.object({
    args: noArguments,
    host: z.string().optional(),
    admin: adminOption.optional(),
    allowUnlimitedSlot: z.boolean().optional(),
  }),
  async run({ host: named, admin, allowUnlimitedSlot }, context) {
    const { configuration, warnings } = await context.loaded();
    const { setUpHost } = await import('../../host/setup.ts');
    const { thisHost } = await import('../../host/this-host.ts');
    const steps = [
      ...(await setUpHost(configuration, {
        host: thisHost(configuration, named),
        logger: context.logger,
        dryRun: context.options.dryRun,
        makeKeys: context.options.yes,
        allowUnlimitedSlot: allowUnlimitedSlot === true,
        ...(admin && { admin: { ...admin, isAgreed: context.options.yes } }),
        onStep: () => undefined,
      })),
    ];
    if (steps.every(({ state }) => state !== 'failed')) steps.push(...(await setUpTemporal(configuration, context)));
    const error = steps.find(({ state }) => state === 'failed')?.error;
    const report = { ok: error === undefined, steps };
    const { dryRun } = context.options;
    if (error === undefined) {
      return outcome('setup', { state: 'completed', setup: report, warnings, ...(dryRun ? { dryRun } : {}) });
    }
    const known = fromErrorData(error);
    const exit = known.exit === exitCodes.found ? exitCodes.failed : known.exit;
    return outcome('setup', { state: stateOf(known), error, setup: report, warnings }, exit);
  },
});

const verbs = { created: 'create', updated: 'update', removed: 'remove', unchanged: 'keep' } as const;

async function setUpTemporal(configuration: Configuration, context: Context): Promise<SetupStep[]> {
  const { settle } = await import('../../host/setup.ts');
  const { dryRun } = context.options;
  const reachable = await settle('temporal', async () => {
    await context.client();
    return ['present', 'the server answers'];
  });
  if (reachable.state === 'failed') return [reachable];
  const client = await context.client();
  const attributes = settle('search attributes', async () => {
    const missing = (await client.registerSearchAttributes({ dryRun })).join(', ');
    if (missing === '') return ['present', 'all registered'];
    return dryRun ? ['planned', `would register ${missing}`] : ['done', `registered ${missing}`];
  });
  const schedules = settle('schedules', async () => {
    const changes = (await client.applySchedules({ dryRun })).filter(({ change }) => change !== 'unchanged');
    if (changes.length === 0) return ['present', 'as the configuration says'];
    const words = changes
      .map(({ change, id, spec }) => `${dryRun ? verbs[change] : change} ${id} (${spec})`)
      .join(', ');
    return dryRun ? ['planned', `would ${words}`] : ['done', words];
  });
  const shipping = Object.values(configuration.database).map(({ id }) =>
    settle(`${id} log`, async () => {
      if (dryRun) {
        if (await client.isShipping(id)) return ['present', 'the workflow that ships it runs'];
        return ['planned', `would start the workflow that ships the log of ${id}`];
      }
      const { started, workflowId } = await client.ensureShipping(id);
      return [started ? 'done' : 'present', `shipped by ${workflowId} as soon as a worker runs`];
    }),
  );
  return [reachable, ...(await Promise.all([attributes, schedules, ...shipping]))];
}
