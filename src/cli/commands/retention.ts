// `retention`: what is kept and why, deleting what is not, holds, and taking back.

import { z } from 'zod';
import { type Configuration, isAnyLocked, keepsAll, retentionHost } from '../../../config/index.ts';
import { besideUnlocked, unlockedError } from '../../domain/held-words.ts';
import { type Moment, momentFromDate, parseMoment, shortMoment } from '../../domain/moment.ts';
import type { RetentionPlan } from '../../domain/retention-report.ts';
import { exitCodes, fail, fromErrorData, type HoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { AppliedRetention, HostRetention } from '../../host/retention.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { answerFrom } from '../estate-answers.ts';
import { followOrDetach } from '../follow.ts';
import { findComponent } from '../naming.ts';
import { lockedWords, retentionLines } from '../render/retention.ts';
import { type Outcome, outcome } from '../result.ts';
import { noArguments } from './typed.ts';

const ALONE = 'Needs the vault and a key that opens it, not Temporal.';
const SNAPSHOT = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;

export const retentionPlan = defineCommand({
  path: 'retention plan',
  arguments: '',
  takes: ['standalone'],
  summary: 'show the policy in force, why each snapshot is kept, and what would be marked and deleted, on which copy',
  details: 'Touches nothing.',
  found:
    'nothing may be marked or deleted now, of all or of one component: a copy is away, a manifest cannot be read, a clock is wrong',
  examples: ['holdfast retention plan', 'holdfast retention plan --json'],
  input: z.object({ args: noArguments }),
  async run(_, context) {
    const { value, temporal } = await askPlan(context);
    const good = value.refused === undefined && value.components.every(({ refused }) => refused === undefined);
    const result = { state: 'completed', temporal, retention: value } as const;
    return outcome('retention', result, good ? exitCodes.done : exitCodes.found);
  },
});

export const retentionApply = defineCommand({
  path: 'retention apply',
  arguments: '',
  takes: ['yes', 'dryRun', 'detach', 'standalone'],
  summary: 'delete what was marked long enough ago, and mark what is not needed now',
  details:
    "Shows the plan and asks first. On copies that lock, what is held is kept locked before all else, whatever is in doubt. Runs daily by itself where 'keep' or 'lock' is configured; without 'keep' nothing is marked or deleted. Only what a tombstone on every copy has named for the grace is deleted, after everything was read and judged again.",
  options: [
    {
      flags: '--beyond-maximum',
      description: "also mark what is more than 'retention.maximum' allows one run; look at the plan first",
    },
  ],
  examples: ['holdfast retention apply', 'holdfast retention apply --yes --json', 'holdfast retention apply --dry-run'],
  input: z.object({ args: noArguments, beyondMaximum: z.boolean().default(false) }),
  async run({ beyondMaximum }, context) {
    const configuration = await context.configuration();
    const { value: plan } = await askPlan(context);
    if (context.options.dryRun) return outcome('retention', { state: 'completed', dryRun: true, retention: plan });
    const host = retentionHost(configuration) ?? nothingToDo();
    // What is held is kept locked all the same; the run itself is refused after that.
    if (plan.refused !== undefined && !isAnyLocked(configuration)) throw fromErrorData(plan.refused);
    if (!context.options.yes) for (const line of retentionLines(plan, configuration.timezone)) context.note(line);
    await confirmByTyping(context, 'proceed? type the name of the estate: ', [configuration.name]);
    const beyond = beyondMaximum ? { beyondMaximum } : {};
    if (context.options.standalone) {
      return withRetention(context, (retention) => applyHere({ context, configuration, plan }, retention, beyond));
    }
    const client = await context.client();
    const { name: estate, digest } = configuration;
    const input = { estate, host, digest, by: context.by, planDigest: plan.digest, ...beyond };
    return followOrDetach(context, client, await client.startRetention(input));
  },
});

export const retentionHold = defineCommand({
  path: 'retention hold',
  arguments: '<snapshot-or-component...>',
  takes: ['yes', 'dryRun'],
  summary: 'keep a snapshot, or everything of a component, whatever the policy says',
  details: `A snapshot that is marked already is kept too, with all that it needs, once it was found whole on a copy. On copies that lock, what is held stays locked as long as the hold stands, never longer than 'lockFor' ahead; a release shortens no lock. ${ALONE}`,
  options: [
    { flags: '--reason <TEXT>', description: 'why; shown wherever the hold is' },
    { flags: '--until <TIME>', description: 'when it ends by itself (else with `retention release`)' },
  ],
  examples: [
    'holdfast retention hold 20261123T061407Z-3f9a1c2b --reason "audit 2026"',
    'holdfast retention hold database/main --reason incident --until 2026-12-24T00:00:00Z',
  ],
  input: z.object({
    args: z.array(z.string()).min(1, { error: 'name a snapshot or a component' }),
    reason: z.string({ error: 'say why' }).min(1, { error: 'say why' }),
    until: z.string().optional(),
  }),
  async run({ args, reason, until: text }, context) {
    const configuration = await context.configuration();
    const [first = ''] = args;
    const target =
      args.length === 1 && SNAPSHOT.test(first)
        ? { snapshot: first }
        : { component: findComponent(configuration, args).id };
    const until = text === undefined ? {} : { until: readUntil(text, configuration.timezone) };
    const what = 'snapshot' in target ? `snapshot ${target.snapshot}` : `everything of ${target.component}`;
    if (context.options.dryRun) {
      return outcome('message', { state: 'completed', dryRun: true, message: `would hold ${what}` });
    }
    return withRetention(context, async (retention) => {
      const hold = await retention.hold(target, { reason, by: context.by, ...until });
      const message = `${hold.id} holds ${what}: ${reason}${lockedWords(hold, configuration)}`;
      const warnings = hold.locks.flatMap(({ error }) => (error ? [`${error.message} (${error.code})`] : []));
      return outcome('message', { state: 'completed', message, hold, ...(warnings.length > 0 ? { warnings } : {}) });
    });
  },
});

/** Throws `MOMENT_INVALID`, also for a moment at which nothing would be held any more. */
function readUntil(text: string, timezone: string): Moment {
  const until = parseMoment(text, timezone);
  if (until > momentFromDate(new Date())) return until;
  return fail('MOMENT_INVALID', `'--until': ${shortMoment(until)} is over, and the hold would end before it begins`, {
    hint: 'name a moment that is to come, or leave `--until` out: then `holdfast retention release` ends it',
  });
}

export const retentionRelease = defineCommand({
  path: 'retention release',
  arguments: '<id>',
  takes: ['yes', 'dryRun'],
  summary: 'end a hold, or take a tombstone back during its grace',
  details: `Of a tombstone every snapshot that is whole comes back, with its generations and log; what the policy does not keep is marked again by the next run, with a new grace: hold it, or change 'keep'. ${ALONE}`,
  options: [{ flags: '--reason <TEXT>', description: 'why; kept with it' }],
  examples: ['holdfast retention release hold-3f9a1c2b', 'holdfast retention release 20261201T040000Z-3f9a1c2b'],
  input: z.object({
    args: z.array(z.string()).length(1, { error: 'name one hold or tombstone' }),
    reason: z.string().default('not said'),
  }),
  async run({ args: [id = ''], reason }, context) {
    if (!/^hold-[0-9a-f]{8}$/.test(id) && !SNAPSHOT.test(id)) {
      fail('USAGE', `expected a hold or a tombstone, got '${id}'`, { hint: '`holdfast retention plan` lists both' });
    }
    if (context.options.dryRun) {
      return outcome('message', { state: 'completed', dryRun: true, message: `would release ${id}` });
    }
    return withRetention(context, async (retention) => {
      const release = await retention.release(id, { reason, by: context.by });
      const { kind, snapshots, gone } = release;
      const back =
        kind === 'hold' ? 'the policy decides again' : `${snapshots.length} snapshots are not to be deleted any more`;
      const lost = gone.length === 0 ? '' : `; gone already: ${gone.join(', ')}`;
      return outcome('message', { state: 'completed', message: `${id} released: ${back}${lost}`, release });
    });
  },
});

function askPlan(context: Context) {
  return answerFrom<RetentionPlan>(
    context,
    (client) => client.retention(),
    (host) => host.retention(),
  );
}

interface Asked {
  readonly context: Context;
  readonly configuration: Configuration;
  readonly plan: RetentionPlan;
}

type Beyond = { readonly beyondMaximum?: boolean };

async function applyHere(asked: Asked, retention: HostRetention, beyond: Beyond): Promise<Outcome> {
  const held = await retention.lockHeld();
  const unlocked = unlockedError(held);
  const applied = await sweepAndMark(asked, retention, beyond).catch((error: unknown) => {
    throw unlocked === undefined ? error : besideUnlocked(unlocked, toHoldfastError(error));
  });
  const result = { ...(held.length > 0 && { held }), ...applied };
  const [refused] = [...(applied.sweep?.refused ?? []), ...(applied.mark?.refused ?? [])];
  if (unlocked !== undefined) {
    const error: HoldfastError = refused === undefined ? unlocked : besideUnlocked(unlocked, refused.error);
    return outcome('run', { state: 'failed', ...result, error: error.toJSON() }, exitCodes.failed);
  }
  if (refused === undefined) return outcome('run', { state: 'completed', ...result });
  return outcome('run', { state: 'refused', ...result, error: refused.error }, exitCodes.refused);
}

async function sweepAndMark(
  { context, configuration, plan }: Asked,
  retention: HostRetention,
  beyond: Beyond,
): Promise<Partial<AppliedRetention>> {
  // Nobody has seen what would go: it may be told again by now.
  if (plan.refused !== undefined) throw fromErrorData(plan.refused);
  return keepsAll(configuration) ? {} : await retention.apply(context.by, beyond);
}

function nothingToDo(): never {
  return fail(
    'CONFIG_INVALID',
    "no component has 'keep' and no copy has 'lock': nothing is ever deleted or kept locked",
  );
}

async function withRetention(context: Context, work: (retention: HostRetention) => Promise<Outcome>): Promise<Outcome> {
  const { HostRetention } = await import('../../host/retention.ts');
  const retention = await HostRetention.open(await context.configuration(), context.logger);
  try {
    return await work(retention);
  } finally {
    await retention.close();
  }
}
