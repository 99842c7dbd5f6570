// `approve` and `deny`: a person's answer to a plan that waits, bound to the plan that this person saw.

import { z } from 'zod';
import type { HoldfastClient } from '../../domain/client.ts';
import type { RunStatus } from '../../domain/operations.ts';
import { isWaiting } from '../../domain/restore-runs.ts';
import type { RunData } from '../../domain/run-data.ts';
import { fail } from '../../errors/index.ts';
import { ask } from '../ask.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { findRun } from '../find-run.ts';
import { renderText } from '../render/text.ts';
import { type Outcome, outcome } from '../result.ts';
import { runOutcome } from '../run-result.ts';
import { type WaitingPlan, waitingPlan } from '../waiting-plan.ts';
import { oneRun, RUN_HELP } from './typed.ts';

const planOption = {
  flags: '--plan <DIGEST>',
  description: 'digest of the plan that was seen (from `show`); without it the plan is shown and asked about',
};
const input = z.object({ args: oneRun, plan: z.string().optional() });
const details = `${RUN_HELP} The answer is bound to the plan: one of which what was decided has changed since it was seen is not approved. Of files that is the snapshot, the paths and the way, not what the disk happens to be: what it does there by then is counted in the result. There is no --yes for this question. Who approves is recorded as claimed; Temporal does not prove it.`;

export const approve = defineCommand({
  path: 'approve',
  arguments: '<run...>',
  takes: ['dryRun'],
  summary: 'let a restore that waits for approval go on',
  details,
  options: [planOption],
  examples: ['holdfast approve restore-3f9a1c2b', 'holdfast approve restore-3f9a1c2b --plan 41d0…'],
  input,
  run: ({ args, plan }, context) => decide(context, args, plan, 'approve'),
});

export const deny = defineCommand({
  path: 'deny',
  arguments: '<run...>',
  takes: ['dryRun'],
  summary: 'refuse a restore that waits for approval',
  details,
  options: [planOption],
  examples: ['holdfast deny restore-3f9a1c2b'],
  input,
  run: ({ args, plan }, context) => decide(context, args, plan, 'deny'),
});

async function decide(
  context: Context,
  words: readonly string[],
  digest: string | undefined,
  answer: 'approve' | 'deny',
): Promise<Outcome> {
  const configuration = await context.configuration();
  const { value: status } = await findRun(context, configuration, words, isWaiting, 'restore that waits for approval');
  const plan = planOf(status);
  if (context.options.dryRun) {
    const message = `would ${answer} ${status.run}`;
    return outcome(plan.view, { state: 'completed', dryRun: true, message, ...plan.told });
  }
  const seen = digest ?? (await showAndAsk(context, plan, configuration.timezone, answer));
  const client: HoldfastClient = await context.client();
  return runOutcome(await client[answer](status.run, seen, context.by), await client.handle(status.run));
}

function planOf(status: RunStatus): WaitingPlan {
  const plan = waitingPlan((status.data ?? {}) as RunData);
  if (status.state !== 'waiting' || plan === undefined) {
    return fail('JOURNAL_STATE', `'${status.run}' does not wait for an approval: it is ${status.state}`, {
      hint: `\`holdfast show ${status.run}\` tells where it is`,
    });
  }
  return plan;
}

async function showAndAsk(context: Context, plan: WaitingPlan, timezone: string, answer: string): Promise<string> {
  if (!context.io.stdinIsTerminal) {
    fail('NOT_CONFIRMED', `there is no terminal to ${answer} at, and no plan was named`, {
      hint: `look at the plan with \`holdfast show ${plan.run}\`, then add '--plan ${plan.digest}'`,
    });
  }
  const shown = renderText(outcome(plan.view, { state: 'waiting', timezone, ...plan.told }), new Date());
  for (const line of shown.trimEnd().split('\n')) context.note(line);
  const short = plan.component.slice(plan.component.indexOf('/') + 1);
  const typed = (await ask(context, `${answer}? type the name of the component: `)).trim();
  if (typed !== plan.component && typed !== short) fail('NOT_CONFIRMED', `'${typed}' is not the name of the component`);
  return plan.digest;
}
