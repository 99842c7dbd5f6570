// `show`, `history` and `cancel`: looking at runs, and asking one to end.

import { z } from 'zod';
import { endOf } from '../../domain/restore-runs.ts';
import { exitCodes } from '../../errors/index.ts';
import { defineCommand } from '../define.ts';
import { type Answer, answerFrom, openRunsUnknown } from '../estate-answers.ts';
import { findRun } from '../find-run.ts';
import { findComponent } from '../naming.ts';
import { restoreSince } from '../restore-since.ts';
import { outcome } from '../result.ts';
import { runOutcome, runSummary } from '../run-result.ts';
import { anyComponent, COMPONENT_HELP, oneRun, RUN_HELP } from './typed.ts';

export const show = defineCommand({
  path: 'show',
  arguments: '<run...>',
  takes: ['standalone'],
  summary: 'show a run: its steps, what it gave, what to do next',
  details: `${RUN_HELP} The command fails only when there is no such run; how the run ended is in its state.`,
  examples: [
    'holdfast show restore-3f9a1c2b',
    'holdfast show backup/database/main',
    'holdfast show database/main --json',
  ],
  input: z.object({ args: oneRun }),
  async run({ args }, context) {
    const configuration = await context.configuration();
    const { value: status, temporal } = await findRun(context, configuration, args);
    // The page in the UI is a comfort: a run that only the vault remembers has none.
    const handle =
      temporal.state === 'reachable' && temporal.error === undefined
        ? await (await context.client()).handle(status.run).catch(() => undefined)
        : undefined;
    const { result, view } = runOutcome(status, handle);
    const since = await restoreSince(context, configuration, status);
    return outcome(view, { ...result, ...since, temporal, ...unknownOpen(temporal, result.warnings) });
  },
});

export const history = defineCommand({
  path: 'history',
  arguments: '[component...]',
  takes: ['standalone'],
  summary: 'list runs, newest first, also those that Temporal has forgotten',
  details: COMPONENT_HELP,
  examples: ['holdfast history', 'holdfast history database/main --json'],
  input: z.object({ args: anyComponent }),
  async run({ args }, context) {
    const configuration = await context.configuration();
    const component = args.length === 0 ? undefined : findComponent(configuration, args).id;
    const missing: string[] = [];
    const { value, temporal } = await answerFrom(
      context,
      (client) => client.history(component, ({ message }) => missing.push(unkept(message))),
      (host) => host.history(component),
      // The vault alone knows no run that is under way.
      { mayAskBoth: false },
    );
    const runs = value.map((status) => {
      const endedBy = endOf(status.run, value);
      return { ...runSummary(status), ...(endedBy && { endedBy }) };
    });
    return outcome('runs', { state: 'completed', temporal, runs, ...unknownOpen(temporal, missing) });
  },
});

const unkept = (why: string) =>
  `this list is not whole: runs that Temporal has forgotten, and those that were ended with '--standalone', are missing, because ${why}; \`holdfast history --standalone\`, on a host with the keys, lists them`;

export const cancel = defineCommand({
  path: 'cancel',
  arguments: '<run...>',
  takes: ['yes', 'dryRun'],
  summary: 'ask a run to stop and undo what it did',
  details: `${RUN_HELP} Returns when the run took the request; \`holdfast show\` tells how it ended.`,
  examples: ['holdfast cancel restore-3f9a1c2b'],
  input: z.object({ args: oneRun }),
  async run({ args }, context) {
    const configuration = await context.configuration();
    const client = await context.client();
    const isOpen = (state: string) => state === 'running' || state === 'waiting';
    const fits = ({ state, operation }: { state: string; operation: string }) =>
      isOpen(state) && operation !== 'shipLog';
    const { value: status } = await findRun(context, configuration, args, fits, 'run to cancel');
    const run = runSummary(status);
    if (!isOpen(status.state)) {
      return outcome('message', {
        state: status.state,
        run,
        message: `${status.run} has ended already: ${status.state}`,
      });
    }
    if (context.options.dryRun) {
      return outcome('message', { state: 'completed', dryRun: true, run, message: `would cancel ${status.run}` });
    }
    await client.cancel(status.run);
    const message = `${status.run} was asked to stop and undo; 'holdfast show ${status.run}' tells how it ends`;
    return outcome('message', { state: 'running', run, message }, exitCodes.done);
  },
});

function unknownOpen(temporal: Answer<unknown>['temporal'], others: readonly string[] = []) {
  const warnings = [...others, ...openRunsUnknown(temporal)];
  return warnings.length > 0 ? { warnings } : {};
}
