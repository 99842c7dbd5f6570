// `confirm` and `rollback`: the two ends of a restore in place, also of one that Temporal has forgotten.

import { z } from 'zod';
import type { HoldfastClient, RunHandle } from '../../domain/client.ts';
import type { RunReferenceInput } from '../../domain/operations.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { databaseOf, findRun, isInPlace } from '../find-run.ts';
import { followOrDetach } from '../follow.ts';
import { operationInput } from '../inputs.ts';
import { type Outcome, outcome } from '../result.ts';
import { oneRun, RUN_HELP } from './typed.ts';

export const confirm = defineCommand({
  path: 'confirm',
  arguments: '<run...>',
  summary: 'accept a restore in place and remove the old data',
  details: `${RUN_HELP} After this the restore cannot be rolled back.`,
  examples: ['holdfast confirm restore-3f9a1c2b', 'holdfast confirm database/main'],
  input: z.object({ args: oneRun }),
  run: ({ args }, context) =>
    endRestore(context, args, 'removes the old data for good', (client, input) => client.startConfirm(input)),
});

export const rollback = defineCommand({
  path: 'rollback',
  arguments: '<run...>',
  summary: 'undo a restore in place: the old data comes back',
  details: `${RUN_HELP} Works until the restore is confirmed; what was written since the restore is not in the old data.`,
  examples: ['holdfast rollback restore-3f9a1c2b', 'holdfast rollback database/main --yes'],
  input: z.object({ args: oneRun }),
  run: ({ args }, context) =>
    endRestore(
      context,
      args,
      'stops the server and brings the old data back; what was written since the restore is not in it',
      (client, input) => client.startRollback(input),
    ),
});

async function endRestore(
  context: Context,
  words: readonly string[],
  does: string,
  start: (client: HoldfastClient, input: RunReferenceInput) => Promise<RunHandle>,
): Promise<Outcome> {
  const configuration = await context.configuration();
  const { value: status } = await findRun(context, configuration, words, isInPlace, 'restore in place to end');
  const database = databaseOf(configuration, status);
  const message = `${status.run} of ${database.id}: ${status.message}`;
  if (context.options.dryRun) {
    return outcome('message', { state: 'completed', dryRun: true, message: `${message}; this ${does}` });
  }
  if (!context.options.yes) context.note(`${message}\nthis ${does}`);
  await confirmByTyping(context, 'proceed? type the name of the component: ', [database.id, database.name]);
  const client = await context.client();
  const handle = await start(client, { ...operationInput(configuration, database, context.by), run: status.run });
  return followOrDetach(context, client, handle);
}
