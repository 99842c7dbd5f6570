// Activities of a restore: each loads the plan that was frozen, holds the lease, and runs one step of the engine.

import path from 'node:path';
import { forecastRestore, type MeasuredRestore } from '../src/domain/forecast.ts';
import type { RestoreDatabaseInput } from '../src/domain/operations.ts';
import { summarizePlan } from '../src/domain/plan-summary.ts';
import type { RunData } from '../src/domain/run-data.ts';
import { bytesText } from '../src/domain/size.ts';
import { parseTarget } from '../src/domain/target.ts';
import { fail, isHoldfastError } from '../src/errors/index.ts';
import { guarded } from '../src/host/restore-guard.ts';
import { confirmWords, rollbackWords } from '../src/host/restore-words.ts';
import { readRunRecords, recordsOf } from '../src/host/run-records.ts';
import { forgetStandby, isStandby, requirePlanOf, stopDatabaseBeside } from '../src/host/stop-beside.ts';
import {
  abandon,
  awaitTarget,
  checkRecovered,
  confirmRestore,
  fetchBase,
  finishBeside,
  finishStandby,
  type Guard,
  journalState,
  planRestore,
  prepareProduction,
  prepareWork,
  promote,
  provePlanUnchanged,
  proveRecovery,
  readPlan,
  reserveStandby,
  rollbackRestore,
} from '../src/postgres/recovery/index.ts';
import type { RestorePlan } from '../src/postgres/types.ts';
import { elsewhereWords } from '../src/vault/index.ts';
import type { PostgresActivities, RestoreEnd, RestoreRequest, RunOnHost } from './contract.ts';
import { type Running, runActivity } from './lib/activity-runner.ts';
import { databaseOf, type HostServices, sourceOf } from './lib/host-services.ts';
import { replaceProduction, resumeLog } from './lib/replace-production.ts';
import type { RunningPlan } from './lib/running-plan.ts';
import type { LogicalNames } from './logical-activities.ts';
import type { PartNames } from './part-activities.ts';

type Names = Exclude<
  keyof PostgresActivities,
  'identifyDatabase' | 'ensureLog' | 'captureBaseBackup' | 'makePoint' | 'superviseLog' | LogicalNames | PartNames
>;

/** One step on the frozen plan, under the lease. */
export function planSteps(services: HostServices) {
  return <T>(request: RestoreRequest, work: (at: RunningPlan) => Promise<T>) =>
    runActivity(services.frame, async (running) => {
      const plan = await loadPlan(services, request);
      const { dataDirectory } = plan.place;
      const place = { dataDirectory, run: plan.run, owner: plan.run, undo: false };
      const { signal, report } = running;
      const wait = {
        signal,
        onWaiting: () => report({ note: 'an earlier attempt is still at it: it has to leave first' }),
      };
      return await guarded(services, place, (guard) => work({ plan, guard, running: leaving(running, guard) }), wait);
    });
}

export function createRestoreActivities(services: HostServices): Pick<PostgresActivities, Names> {
  const { frame } = services;
  const step = planSteps(services);
  return {
    planRestore: ({ run, input, keep }) =>
      runActivity(frame, async () => await summarize(services, await freezePlan(services, run, input, keep))),
    recheckPlan: (request) =>
      runActivity(frame, async () => {
        const stored = await loadPlan(services, request);
        const input = (await (
          await services.vault('restore')
        ).getRecord(request.run, 'request')) as RestoreDatabaseInput;
        provePlanUnchanged(stored, await planWithEngine(services, request.run, input));
      }),
    prepareRestore: (request) =>
      step(request, async ({ plan, guard }) => {
        await prepareWork(plan, guard);
        if (isStandby(plan)) await reserveStandby(plan, await sourceOf(services, plan.component));
      }),
    fetchBaseBackup: (request) =>
      step(request, async ({ plan, guard, running: { signal, report } }) => {
        const onProgress = ({ bytes, totalBytes }: { bytes: number; totalBytes: number }) =>
          report({ note: `${bytesText(bytes)} of ${bytesText(totalBytes)} fetched` });
        const vault = await services.vault('restore');
        const startedAt = performance.now();
        const { elsewhere = [] } = await fetchBase(plan, vault, guard, { signal, onProgress });
        const warnings = elsewhereWords(elsewhere);
        return { fetchMs: Math.round(performance.now() - startedAt), ...(warnings.length > 0 && { warnings }) };
      }),
    replayLog: (request) =>
      step(request, async ({ plan, running: { signal, report, logger } }) => {
        const vault = await services.vault('restore');
        const onProgress = ({ replayedLsn, endLsn }: { replayedLsn?: string; endLsn: string }) =>
          report({ note: `replayed to ${replayedLsn ?? 'the start'} of ${endLsn}` });
        return { replayMs: await timed(() => awaitTarget(plan, vault, { logger, signal, onProgress })) };
      }),
    proveRecovery: (request) =>
      step(request, async ({ plan }) => {
        await proveRecovery(plan);
      }),
    promoteRecovered: (request) =>
      step(request, async ({ plan, guard, running: { signal } }) => {
        const work = async () => {
          await prepareProduction(plan);
          await promote(plan, guard, { signal });
        };
        return { promoteMs: await timed(work) };
      }),
    checkRecovered: (request) =>
      step(request, async ({ plan, running: { signal, report } }) => {
        const startedAt = performance.now();
        const checks = await checkRecovered(plan, { signal, onStep: (note) => report({ note }) });
        return { checksMs: Math.round(performance.now() - startedAt), checks };
      }),
    finishBeside: (request) =>
      step(request, async ({ plan, guard }) => {
        const finished = isStandby(plan)
          ? await finishStandby(plan, await sourceOf(services, plan.component), guard)
          : await finishBeside(plan, guard);
        return { ...reached(plan), ...finished };
      }),
    swapIn: (request) => step(request, (at) => replaceProduction(services, at)),
    resumeProduction: (request) =>
      step(request, async ({ plan, running: { signal } }) => {
        const { url } = await sourceOf(services, plan.component);
        const warnings = await resumeLog(services, plan, signal);
        const old = plan.place.mode === 'in place' && plan.production ? { oldDataDirectory: plan.place.keepOldAt } : {};
        const { dataDirectory } = plan.place;
        const told = warnings.length > 0 ? { warnings } : {};
        return { ...reached(plan), ...old, dataDirectory, connection: withoutPassword(url), ...told };
      }),
    ...createUndoActivities(services),
  };
}

type UndoNames = 'abandonRestore' | 'stopRecovered' | 'undoSwap';

function createUndoActivities(services: HostServices): Pick<PostgresActivities, UndoNames> {
  const { frame } = services;
  return {
    abandonRestore: (request) =>
      runActivity(frame, async () => {
        const { run } = request;
        const dataDirectory = await directoryOf(services, request);
        const isInPlace = (await journalState(dataDirectory, run))?.head.mode === 'in place';
        // Read before the work directory is gone; a restore in place has to be undone while the stores stumble.
        const plan = isInPlace ? undefined : await loadPlan(services, request);
        // What was swapped in for a moment may hold what clients wrote: the rollback has put it aside on purpose.
        if ((await journalState(dataDirectory, run))?.phase === 'rolled back') return;
        const place = { dataDirectory, run, owner: run, undo: true };
        await guarded(services, place, (guard) => abandon(dataDirectory, run, guard));
        if (plan !== undefined) await forgetStandby(services, plan);
      }),
    stopRecovered: (request) =>
      runActivity(frame, async () => await stopDatabaseBeside(services, await loadPlan(services, request))),
    undoSwap: (request) =>
      runActivity(frame, async () => {
        await back(services, request, request.run);
      }),
  };
}

async function back(services: HostServices, request: RunOnHost, owner: string) {
  const { receivers } = services;
  const dataDirectory = await directoryOf(services, request);
  const { component, run } = request;
  await receivers.pause(component);
  try {
    const place = { dataDirectory, run, owner, undo: true };
    return await guarded(services, place, (guard) => rollbackRestore(dataDirectory, run, guard));
  } finally {
    await receivers.resume(component);
  }
}

export async function rollbackDatabase(services: HostServices, request: RunOnHost): Promise<RestoreEnd> {
  const result = await back(services, request, `rollback of ${request.run}`);
  return { dataDirectory: result.dataDirectory, message: rollbackWords(request.run, result) };
}

export async function confirmDatabase(services: HostServices, request: RunOnHost): Promise<RestoreEnd> {
  const { run } = request;
  const dataDirectory = await directoryOf(services, request);
  const place = { dataDirectory, run, owner: `confirm of ${run}`, undo: false };
  const confirmed = await guarded(services, place, (guard) => confirmRestore(dataDirectory, run, guard));
  return { dataDirectory, message: confirmWords(run, confirmed) };
}

/** Whoever lost the right to its step leaves it as if it were cancelled; the guard tells why. */
function leaving(running: Running, { lost }: Guard): Running {
  return lost === undefined ? running : { ...running, signal: AbortSignal.any([running.signal, lost]) };
}

/** What a recovery is planned from. */
export type PlannedInput = Pick<
  RestoreDatabaseInput,
  'component' | 'to' | 'exclusive' | 'timeline' | 'from' | 'deep'
> & { readonly beside?: NonNullable<RestoreDatabaseInput['beside']> & { readonly throwaway?: true } };

/** What a person wants to know before saying yes, beside the plan itself: how long it will take. */
export async function summarize(services: HostServices, plan: RestorePlan) {
  const { component } = plan;
  const { rtoSeconds } = databaseOf(services, component).objective;
  const summary = summarizePlan(plan);
  const forecast = forecastRestore(summary, await measuredRestores(services, { component }));
  return { ...summary, ...(forecast && { forecast }), ...(rtoSeconds === undefined ? {} : { rtoSeconds }) };
}

/** Newest first. A record that cannot be read takes no forecast away that the others give. */
async function measuredRestores(services: HostServices, { component }: Pick<PlannedInput, 'component'>) {
  const { runs } = recordsOf(await readRunRecords(await services.vault('restore')), component);
  return runs.flatMap(({ operation, state, data }): MeasuredRestore[] => {
    const { plan, restore } = (data ?? {}) as RunData;
    if (operation !== 'restoreDatabase' || state !== 'completed' || !plan || !restore) return [];
    return [{ plan, timingsMs: restore.timingsMs }];
  });
}

/** With `keep` it is stored as a record of the run, once. */
export async function freezePlan(
  services: HostServices,
  run: string,
  input: PlannedInput,
  keep: boolean,
): Promise<RestorePlan> {
  if (!keep) return await planWithEngine(services, run, input, { dryRun: true });
  const vault = await services.vault('restore');
  const stored = await vault.getRecord(run, 'plan').catch((error: unknown) => {
    if (isHoldfastError(error, 'NOT_FOUND')) return undefined;
    throw error;
  });
  // An earlier attempt has frozen it: planning again could give another.
  if (stored !== undefined) return stored as RestorePlan;
  const plan = await planWithEngine(services, run, input);
  await vault.putRecord(run, 'request', input);
  await vault.putRecord(run, 'plan', plan);
  return plan;
}

async function planWithEngine(
  services: HostServices,
  run: string,
  input: PlannedInput,
  options: { readonly dryRun?: boolean } = {},
): Promise<RestorePlan> {
  const { configuration } = services;
  const database = databaseOf(services, input.component);
  const { url } = await sourceOf(services, input.component);
  const { beside, exclusive, timeline, from, deep } = input;
  return await planRestore({
    ...{ vault: await services.vault('restore'), configuration, database, run, url, ...options },
    target: parseTarget(input.to, configuration.timezone),
    place:
      beside === undefined
        ? { mode: 'in place' }
        : {
            mode: 'beside',
            dataDirectory: beside.directory,
            start: beside.start || beside.standby === true,
            ...(beside.standby === true ? { standby: true } : {}),
            ...(beside.throwaway === true ? { throwaway: true } : {}),
          },
    ...(exclusive === undefined ? {} : { exclusive }),
    ...(deep === undefined ? {} : { deep }),
    ...(timeline === undefined ? {} : { timeline }),
    ...(from === undefined ? {} : { fromCopy: from }),
  });
}

/** Beside the data first: a step must be possible while the stores stumble. Throws `PLAN_CHANGED`, `NOT_FOUND`. */
async function loadPlan(services: HostServices, request: RunOnHost & { planDigest?: string }): Promise<RestorePlan> {
  const { run, workDirectory, planDigest } = request;
  const beside =
    workDirectory === undefined ? undefined : await readPlan({ plan: path.join(workDirectory, 'plan.json') });
  const plan = beside ?? ((await (await services.vault('restore')).getRecord(run, 'plan')) as RestorePlan);
  requirePlanOf(plan, request, services.host);
  if (planDigest !== undefined && plan.digest !== planDigest) {
    fail('PLAN_CHANGED', `the plan of ${run} has digest '${plan.digest}', not '${planDigest}'`);
  }
  return plan;
}

/** From the plan; in place the configuration knows it too, when neither file nor record can be read. */
async function directoryOf(services: HostServices, request: RunOnHost): Promise<string> {
  const { dataDirectory } = databaseOf(services, request.component);
  if (dataDirectory !== undefined && (await journalState(dataDirectory, request.run)) !== undefined)
    return dataDirectory;
  return (await loadPlan(services, request)).place.dataDirectory;
}

function reached({ resolved }: RestorePlan) {
  return { recoveredTo: resolved.moment, recoveredLsn: resolved.endLsn };
}

function withoutPassword(url: string): string {
  const parsed = new URL(url);
  parsed.password = '';
  return parsed.href;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return Math.round(performance.now() - startedAt);
}
