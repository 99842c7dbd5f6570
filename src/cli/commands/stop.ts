// `stop`: ending the server that a restore beside left running, however that restore ended.

import { z } from 'zod';
import type { HoldfastClient } from '../../domain/client.ts';
import type { RunStatus } from '../../domain/operations.ts';
import { hasServer, isBeside, isPart } from '../../domain/restore-runs.ts';
import type { StoppedServer } from '../../domain/run-data.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { findRun, subjectOf } from '../find-run.ts';
import { operationInput } from '../inputs.ts';
import { orAlone } from '../or-alone.ts';
import { outcome } from '../result.ts';
import { oneRun, RUN_HELP } from './typed.ts';

export const stop = defineCommand({
  path: 'stop',
  arguments: '<run...>',
  takes: ['yes', 'dryRun', 'standalone'],
  summary: 'end the server that a restore beside left running',
  details: `${RUN_HELP} Its directory stays. A component stands for its latest restore beside that ended well; one that was ended in the middle is named by its id. Of a restore of one table or database that was ended in the middle the directory goes, too. With --standalone it is ended by this process, on the host where it runs, with no Temporal server, and that of a database, named by its run, also while no store answers; whether a run is still open cannot be known then, and a step that a worker is at is not disturbed.`,
  examples: ['holdfast stop restore-3f9a1c2b', 'holdfast stop restore-3f9a1c2b --standalone'],
  input: z.object({ args: oneRun }),
  async run({ args }, context) {
    const status = await findServer(context, args).catch(orAlone);
    if (context.options.dryRun) {
      const message = `would stop the server of ${status.run}`;
      return outcome('message', { state: 'completed', dryRun: true, message });
    }
    const server = await stopIt(context, status).catch(orAlone);
    const what = server.stopped ? 'stopped' : 'was not running any more';
    const left = server.removed ? 'its directory was removed' : `its data is in ${server.dataDirectory}`;
    const message = `the server of ${status.run} ${what}; ${left}`;
    return outcome('message', { state: 'completed', message, server });
  },
});

type OfServer = Pick<RunStatus, 'run' | 'component'>;

async function stopIt(context: Context, status: OfServer): Promise<StoppedServer> {
  const configuration = await context.configuration();
  const { id: component, ...subject } = subjectOf(configuration, status);
  if (context.options.standalone) return await (await context.restores()).stop({ run: status.run, component });
  const input = operationInput(configuration, { id: component, ...subject }, context.by);
  return await (await context.client()).stopServer({ ...input, run: status.run });
}

/** What answers about components: Temporal's client, or this host. */
type Asked = Pick<HoldfastClient, 'components'>;

/** Throws `NOT_FOUND`, and `JOURNAL_STATE` for a run that cannot have left a server; both name the servers that run. */
async function findServer(context: Context, args: readonly string[]): Promise<OfServer> {
  const status = await findBeside(context, args).catch(async (error: unknown) => {
    if (!isHoldfastError(error, 'NOT_FOUND', 'JOURNAL_STATE')) return await leftHere(context, args, error);
    const client: Asked = context.options.standalone ? await context.host() : await context.client();
    const left = error.code === 'NOT_FOUND' ? await leftBy(client, args) : undefined;
    if (left !== undefined) return left;
    throw new HoldfastError(error.code, error.message, { hint: await serversInWords(client), cause: error });
  });
  if (!('state' in status) || (status.state !== 'running' && status.state !== 'waiting')) return status;
  return fail('JOURNAL_STATE', `'${status.run}' has not ended: its server is in use`, {
    hint: `\`holdfast cancel ${status.run}\` ends the run, and its server with it`,
  });
}

/** Whether one that did not end well has left a server, only its host can say. */
async function findBeside(context: Context, args: readonly string[]): Promise<RunStatus> {
  const what = "restore beside with '--start' that ended well";
  const { value: status } = await findRun(context, await context.configuration(), args, hasServer, what);
  if (isBeside(status) || isPart(status)) return status;
  return fail('JOURNAL_STATE', `'${status.run}' is not known to be a restore beside, which alone leaves a server`);
}

/** While no store answers, the host itself knows of a server that runs on it. Throws `error` where it does not. */
async function leftHere(context: Context, [name]: readonly string[], error: unknown): Promise<OfServer> {
  if (!context.options.standalone || name === undefined) throw error;
  return (await (await context.restores()).left(name)) ?? Promise.reject(error);
}

/** A run that was ended from outside keeps no result: once Temporal has forgotten it, only its host still knows of it. */
async function leftBy(client: Asked, [name]: readonly string[]): Promise<OfServer | undefined> {
  const components = await client.components().catch(() => []);
  const owner = components.find(({ restores = [] }) =>
    restores.some(({ run, state }) => run === name && (state === 'left' || state === 'serving')),
  );
  return owner && name !== undefined ? { run: name, component: owner.component } : undefined;
}

/** Unknown is not none; that this cannot be told must not hide what it was to be a hint for. */
async function serversInWords(client: Asked): Promise<string> {
  try {
    const components = await client.components();
    const unknown = components.filter(({ restores, restoresUnknown }) => !restores || restoresUnknown);
    const serving = components.flatMap(({ restores = [] }) =>
      restores.filter(({ state }) => state === 'serving' || state === 'left'),
    );
    const running = serving.map(({ run, dataDirectory }) => `${run} (${dataDirectory})`).join(', ');
    const hosts = [...new Set(unknown.map(({ host }) => host))].join(', ');
    if (running === '' && hosts === '') {
      return 'no restore that ended well has left a server that runs now; `holdfast history` lists the others too';
    }
    return [running && `running: ${running}`, hosts && `not known on ${hosts}`].filter(Boolean).join('; ');
  } catch (error) {
    return `which servers run is not known: ${toHoldfastError(error).message}; \`holdfast history\` lists the runs`;
  }
}
