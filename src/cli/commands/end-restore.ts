// `confirm`, `rollback` and `resume`: the ends of a restore in place, also of one that Temporal has forgotten or cannot be asked about.

import { z } from 'zod';
import type { HoldfastClient, RunHandle } from '../../domain/client.ts';
import type { RunReferenceInput, RunStatus } from '../../domain/operations.ts';
import { isBeside, isInPlace } from '../../domain/restore-runs.ts';
import type { RunData } from '../../domain/run-data.ts';
import type { StandaloneRestore, StandaloneRestores } from '../../domain/standalone.ts';
import { fail } from '../../errors/index.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { findRun, subjectOf } from '../find-run.ts';
import { followOrDetach } from '../follow.ts';
import { operationInput } from '../inputs.ts';
import { readRunName } from '../naming.ts';
import { orAlone } from '../or-alone.ts';
import { type Outcome, outcome } from '../result.ts';
import { isOfFiles, rollbackDoes } from '../rollback-words.ts';
import { runOutcome } from '../run-result.ts';
import { oneRun, RUN_HELP } from './typed.ts';

const STANDALONE_HELP =
  'With --standalone it works by the journal beside the data, on the host of the data, with no Temporal server. Whether a run is still open in Temporal cannot be known then: the lock beside the data and the lease in the vault decide, and a worker that is at a step is never disturbed (LOCKED).';

interface End {
  /** In words, what it does to the data of a restore in this phase, of a server or of trees of files. */
  readonly does: (component: string, of?: Partial<Pick<StandaloneRestore, 'phase' | 'way'>>) => string;
  /** Phases of the journal it is about; the first that a run is in wins. */
  readonly phases: readonly StandaloneRestore['phase'][];
  /** Phase of one that has been ended so, and of which the rest is removed when it is asked for again. */
  readonly over?: StandaloneRestore['phase'];
  readonly alone: (restores: StandaloneRestores, run: string) => Promise<RunStatus>;
}

const confirming: End = {
  does: (component) =>
    isOfFiles(component) ? 'removes for good what was there before' : 'removes the old data for good',
  phases: ['swapped', 'confirming'],
  over: 'confirmed',
  alone: (restores, run) => restores.confirm(run),
};
const rollingBack: End = {
  does: (component, { way } = {}) => rollbackDoes(component, way),
  phases: ['swapping', 'swapped', 'rolling back', 'preparing'],
  over: 'rolled back',
  alone: (restores, run) => restores.rollback(run),
};
const resuming: End = {
  does: (component, { phase } = {}) => {
    if (isOfFiles(component)) {
      return phase === 'swapped'
        ? 'replaces nothing: what the snapshot has is in place already; it is only compared once more'
        : 'goes on with the restore: what is there gives way to what the snapshot has, and is kept';
    }
    return phase === 'swapped'
      ? 'replaces nothing: production is on the recovered data already; it only sees to it that the server runs and the log goes on'
      : 'goes on with the restore: production is replaced by the recovered data, and the old data is kept';
  },
  phases: ['swapping', 'preparing', 'swapped'],
  alone: (restores, run) => restores.resume(run),
};

export const confirm = defineCommand({
  path: 'confirm',
  arguments: '<run...>',
  takes: ['yes', 'dryRun', 'detach', 'standalone'],
  summary: 'accept a restore in place and remove the old data',
  details: `${RUN_HELP} After this the restore cannot be rolled back. ${STANDALONE_HELP}`,
  examples: ['holdfast confirm restore-3f9a1c2b', 'holdfast confirm database/main --standalone'],
  input: z.object({ args: oneRun }),
  run: ({ args }, context) => endRestore(context, args, confirming, (client, input) => client.startConfirm(input)),
});

export const rollback = defineCommand({
  path: 'rollback',
  arguments: '<run...>',
  takes: ['yes', 'dryRun', 'detach', 'standalone'],
  summary: 'undo a restore in place: the old data comes back',
  details: `${RUN_HELP} Works until the restore is confirmed; what was written since the restore is not in the old data. ${STANDALONE_HELP}`,
  examples: ['holdfast rollback restore-3f9a1c2b', 'holdfast rollback database/main --standalone --yes'],
  input: z.object({ args: oneRun }),
  run: ({ args }, context) => endRestore(context, args, rollingBack, (client, input) => client.startRollback(input)),
});

export const resume = defineCommand({
  path: 'resume',
  arguments: '<run...>',
  takes: ['yes', 'dryRun', 'standalone'],
  summary: 'go on with a restore in place whose run was ended in the middle (terminated, or Temporal is lost)',
  details: `${RUN_HELP} Only with --standalone: an open run goes on by itself as soon as a worker is there. What was built is kept, a swap that was begun is finished. It works by the journal beside the data, on the host of the data; the vault is needed only where base backup or log are not fetched yet. Whether a run is still open in Temporal cannot be known: the lock beside the data and the lease in the vault decide.`,
  examples: ['holdfast resume restore-3f9a1c2b --standalone', 'holdfast resume database/main --standalone --dry-run'],
  input: z.object({ args: oneRun }),
  run({ args }, context) {
    if (context.options.standalone) return endAlone(context, args, resuming);
    return fail('USAGE', "a run that is open goes on by itself; one that was ended is resumed with '--standalone'", {
      hint: `\`holdfast show ${args.join(' ')}\` tells which; then, on the host of the data: holdfast resume ${args.join(' ')} --standalone`,
    });
  },
});

async function endRestore(
  context: Context,
  words: readonly string[],
  end: End,
  start: (client: HoldfastClient, input: RunReferenceInput) => Promise<RunHandle>,
): Promise<Outcome> {
  if (context.options.standalone) return await endAlone(context, words, end);
  return await endThroughTemporal(context, words, end.does, start).catch(orAlone);
}

async function endThroughTemporal(
  context: Context,
  words: readonly string[],
  doesTo: End['does'],
  start: (client: HoldfastClient, input: RunReferenceInput) => Promise<RunHandle>,
): Promise<Outcome> {
  const configuration = await context.configuration();
  const { value: status } = await findRun(context, configuration, words, isInPlace, 'restore in place to end');
  if (isBeside(status)) {
    fail('JOURNAL_STATE', `'${status.run}' is a restore beside: it replaced nothing`, {
      hint: `\`holdfast stop ${status.run}\` ends the server that it left; its directory is yours to remove`,
    });
  }
  const database = subjectOf(configuration, status);
  const message = `${status.run} of ${database.id}: ${status.message}`;
  const way = (status.data as RunData | undefined)?.redisPlan?.way;
  const does = doesTo(database.id, way === undefined ? {} : { way });
  if (context.options.dryRun) {
    return outcome('message', { state: 'completed', dryRun: true, message: `${message}; this ${does}` });
  }
  if (!context.options.yes) context.note(`${message}\nthis ${does}`);
  await confirmByTyping(context, 'proceed? type the name of the component: ', [database.id, database.name]);
  const client = await context.client();
  const handle = await start(client, { ...operationInput(configuration, database, context.by), run: status.run });
  return followOrDetach(context, client, handle);
}

/** By the journal; the person sees how far it is before saying yes. */
async function endAlone(context: Context, words: readonly string[], end: End): Promise<Outcome> {
  const restores = await context.restores();
  const found = await findJournal(context, restores, words, end);
  const { run, component, phase, lastStep, at } = found;
  const does = isRest(found, end) ? 'removes the rest of what it kept, and nothing else' : end.does(component, found);
  const message = `${run} of ${component} is ${phase}: '${lastStep}' at ${at} was the last line of its journal`;
  if (context.options.dryRun) {
    return outcome('message', {
      ...{ state: 'completed', dryRun: true, message: `${message}; this ${does}` },
    });
  }
  if (!context.options.yes) context.note(`${message}\nthis ${does}`);
  const name = component.slice(component.indexOf('/') + 1);
  await confirmByTyping(context, 'proceed? type the name of the component: ', [component, name]);
  return { ...runOutcome(await end.alone(restores, run)), followed: true };
}

function isRest({ phase, isUncleared }: StandaloneRestore, { over }: End): boolean {
  return isUncleared === true && phase === over;
}

/** Of a component one that has not been ended goes before the rest of one that has. */
async function findJournal(
  context: Context,
  restores: StandaloneRestores,
  words: readonly string[],
  end: End,
): Promise<StandaloneRestore> {
  const name = readRunName(await context.configuration(), words);
  const all = await restores.list(name.type === 'component' ? name.component : undefined);
  const { phases } = end;
  const wanted =
    name.type === 'id'
      ? all.find(({ run }) => run === name.id)
      : (phases.flatMap((phase) => all.findLast((restore) => restore.phase === phase) ?? [])[0] ??
        all.findLast((restore) => isRest(restore, end)));
  if (wanted !== undefined) return wanted;
  const known = all.map(({ run, phase }) => `${run} (${phase})`).join(', ');
  const message =
    name.type === 'id'
      ? `no journal beside the data of this host is of '${name.id}'`
      : `no restore in place of '${name.component}' is ${phases.join(', ')}`;
  const hint = known === '' ? 'none is here: type it on the host of the data' : `journals here: ${known}`;
  return fail('NOT_FOUND', message, {
    hint: `${hint}; \`holdfast history --standalone\` lists the runs that have ended`,
  });
}
