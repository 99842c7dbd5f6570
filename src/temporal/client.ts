// The workflows as the command line uses them: `HoldfastClient` on a connection to a Temporal server.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { anyHost, type Configuration, componentOf, componentsOf } from '../../config/index.ts';
import type { HoldfastClient, RunHandle } from '../domain/client.ts';
import type { ComponentId } from '../domain/component.ts';
import type { ComponentStatus, SnapshotSummary } from '../domain/component-report.ts';
import type { RunReferenceInput, RunStatus } from '../domain/operations.ts';
import { fail, type HoldfastError, toHoldfastError } from '../errors/index.ts';
import { askHosts, type Questioner } from './ask-hosts.ts';
import { calling, connectTemporal } from './connection.ts';
import { decide } from './decide.ts';
import { follow } from './follow.ts';
import { type Runs, tellHistory } from './histories.ts';
import { RunBook } from './run-book.ts';
import { endedAbruptly } from './run-status.ts';
import { applySchedules, listSchedules } from './schedules.ts';
import { registerSearchAttributes } from './search-attributes.ts';
import { isShipping } from './shipping.ts';
import { startOperation } from './start-operation.ts';

/** A server that hangs is not waited for: whoever leaves is missed there after a while. */
const LEAVING_MS = 2_000;

/** Throws `TEMPORAL_UNREACHABLE`, `CONFIG_INVALID` for a profile that cannot be read. Close it when done. */
export async function connectClient(configuration: Configuration): Promise<HoldfastClient> {
  const connected = await connectTemporal(configuration.temporal);
  const { client, connection, namespace, address } = connected;
  /** A question that nobody waits for any more must not keep the process. */
  const closing = new AbortController();
  const book = new RunBook(connected, configuration);
  const leaving = new Set<Promise<unknown>>();
  const questions: Questioner = {
    ...connected,
    configuration,
    closing: closing.signal,
    onLeaving: (done) => void leaving.add(done),
    newId: () => `${configuration.name}/ask/${randomUUID()}`,
  };
  /** Every call of the server through one place that knows its errors. */
  const wrap = <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) => {
    return (...args: Args) => calling(address, () => client.withAbortSignal(closing.signal, () => call(...args)));
  };
  const start = (operation: Parameters<typeof startOperation>[2]) =>
    wrap((input: never): Promise<RunHandle> => startOperation(connected, book, operation, input));
  const shipping = (component: ComponentId) => {
    const { host } = componentOf(configuration, component);
    return { estate: configuration.name, component, host, by: 'setup' };
  };
  return {
    startBackup: start('backupDatabase'),
    startDump: start('dumpDatabase'),
    startRedisBackup: start('backupRedis'),
    startFilesBackup: start('backupFiles'),
    startConfigurationBackup: start('backupConfiguration'),
    startMirror: start('mirrorFiles'),
    startLoad: start('loadDump'),
    startPart: start('restorePart'),
    startRestore: start('restoreDatabase'),
    startRedisRestore: start('restoreRedis'),
    startFilesRestore: start('restoreFiles'),
    startRollback: start('rollbackRestore'),
    startConfirm: start('confirmRestore'),
    startCatchUp: start('catchUpCopy'),
    startRetention: start('applyRetention'),
    startVerify: start('verifySnapshots'),
    isShipping: wrap((component) => isShipping(client, configuration.name, component)),
    ensureShipping: wrap(async (component) => {
      const handle = await startOperation(connected, book, 'shipLog', shipping(component));
      return { ...handle, started: handle.started };
    }),

    follow: (handle, onStatus, signal) => calling(address, () => follow(connected, book, handle, onStatus, signal)),
    status: wrap(async (run) => {
      const told = await book.status(run);
      if (told === undefined) return await remembered(questions, run);
      return endedAbruptly(told) ? ((await endedSince(questions, told)) ?? told) : told;
    }),
    handle: wrap((run) => book.handle(run)),
    approve: wrap((run, planDigest, by) => decide(connected, book, 'approve', run, { planDigest, by })),
    deny: wrap((run, planDigest, by) => decide(connected, book, 'deny', run, { planDigest, by })),
    cancel: wrap(async (run) => {
      const { workflowId, runId } = await book.require(run);
      await client.workflow.getHandle(workflowId, runId).cancel();
    }),

    plan: wrap((input) => askHosts(questions, 'planRestore', input.host, input)),
    planPart: wrap((input) => askHosts(questions, 'planPart', input.host, input)),
    planRedis: wrap((input) => askHosts(questions, 'planRedis', input.host, input)),
    planFiles: wrap((input) => askHosts(questions, 'planFiles', input.host, input)),
    planLoad: wrap((input) => askHosts(questions, 'planLoad', input.host, input)),
    stopServer: wrap((input: RunReferenceInput) => askHosts(questions, 'stopRecovered', input.host, input)),
    applySchedules: wrap((options) => applySchedules(client, configuration, options)),
    listSchedules: wrap(() => listSchedules(client, configuration)),
    registerSearchAttributes: wrap((options) => registerSearchAttributes(connection, namespace, options)),

    running: wrap((component) => book.running(component)),
    history: wrap((component?: ComponentId, onUnkept?: (error: HoldfastError) => void) =>
      tellHistory(
        () => book.history(component),
        () => recorded(questions, component, onUnkept),
      ),
    ),
    snapshots: wrap((component) => describeFrom<readonly SnapshotSummary[]>(questions, 'snapshots', component)),
    retention: wrap(() => describeFrom(questions, 'retention', undefined)),
    copies: wrap(() => describeFrom(questions, 'copies', undefined)),
    findFiles: wrap((request) => askOwner(questions, 'findFiles', request)),
    diffFiles: wrap((request) => askOwner(questions, 'diffFiles', request)),
    components: wrap(() => allComponents(questions)),
    check: wrap((component) => {
      const { host } = shipping(component);
      return askHosts(questions, 'checkComponent', host, { host, component });
    }),
    configurationDiff: wrap((request) => {
      const { host } = componentOf(configuration, request.component);
      return askHosts(questions, 'diffConfiguration', host, { host, ...request });
    }),
    close: async () => {
      closing.abort();
      await Promise.race([Promise.allSettled(leaving), sleep(LEAVING_MS, undefined, { ref: false })]);
      await connection.close();
    },
  };
}

/** What the vault keeps, for runs that Temporal has forgotten; nobody who could tell is no reason to hide what Temporal knows, and `onUnkept` is told. */
async function recorded(
  questions: Questioner,
  component: ComponentId | undefined,
  onUnkept: (error: HoldfastError) => void = () => undefined,
): Promise<Runs> {
  return await describeFrom<Runs>(questions, 'history', component).catch((error: unknown) => {
    onUnkept(toHoldfastError(error));
    return [];
  });
}

/** The record of a run that Temporal saw end from outside, when somebody answers for the vault. */
async function endedSince(questions: Questioner, { run, component }: RunStatus): Promise<RunStatus | undefined> {
  const about = componentsOf(questions.configuration).find(({ id }) => id === component)?.id;
  const kept = await recorded(questions, about);
  return kept.find((status) => status.run === run);
}

async function remembered(questions: Questioner, run: string) {
  const kept = await describeFrom<Runs>(questions, 'history', undefined);
  const found = kept.find((status) => status.run === run || status.workflowId === run || status.component === run);
  return found ?? fail('NOT_FOUND', `no such run: '${run}'`, { hint: 'see `holdfast history`' });
}

/** Snapshots, copies and records are the same wherever one asks; the host of the component is asked, or the first that has one. */
async function describeFrom<T>(
  questions: Questioner,
  question: string,
  component: ComponentId | undefined,
): Promise<T> {
  const { configuration } = questions;
  const own = componentsOf(configuration).find(({ id }) => id === component);
  const host = own?.host ?? anyHost(configuration);
  const about = component === undefined ? {} : { component };
  return await askHosts<T>(questions, 'describeEstate', host, { host, question, ...about });
}

/** The host of the component, which alone can look at its disk. */
async function askOwner<T>(
  questions: Questioner,
  type: string,
  request: { readonly component: ComponentId },
): Promise<T> {
  const { host } = componentOf(questions.configuration, request.component);
  return await askHosts<T>(questions, type, host, { ...request, host });
}

/** Each host speaks of its own components; one that does not answer makes its own unknown, not the others'. */
async function allComponents(questions: Questioner): Promise<readonly ComponentStatus[]> {
  const all = componentsOf(questions.configuration);
  const hosts = [...new Set(all.map(({ host }) => host))];
  const answers = await Promise.allSettled(
    hosts.map((host) =>
      askHosts<readonly ComponentStatus[]>(questions, 'describeEstate', host, { host, question: 'components' }),
    ),
  );
  const [first] = answers;
  if (answers.length === 1 && first?.status === 'rejected') throw first.reason;
  return all.map(({ id, host, objective }) => {
    const answer = answers[hosts.indexOf(host)];
    const found = answer?.status === 'fulfilled' ? answer.value.find(({ component }) => component === id) : undefined;
    return (
      found ??
      unknownComponent(id, host, objective.rpoSeconds, answer?.status === 'rejected' ? answer.reason : undefined)
    );
  });
}

function unknownComponent(
  component: ComponentId,
  host: string,
  objectiveSeconds: number | undefined,
  reason: unknown,
): ComponentStatus {
  const message = reason instanceof Error ? reason.message : `host '${host}' does not speak of it`;
  return {
    component,
    host,
    state: 'unknown',
    copies: [],
    rpo: objectiveSeconds === undefined ? {} : { objectiveSeconds },
    findings: [
      { severity: 'late', message, hint: `is \`holdfast worker\` running on '${host}', with this configuration?` },
    ],
  };
}
