// Activities of logical backups and of loading them: thin over the engine and the vault.

import path from 'node:path';
import { resolveSecret, stateDirectoryOf } from '../config/index.ts';
import type { LoadPlan } from '../src/domain/load.ts';
import type { LoadDumpInput } from '../src/domain/operations.ts';
import { fail } from '../src/errors/index.ts';
import { observeHeads } from '../src/host/put-back.ts';
import { summarizeSnapshot } from '../src/host/snapshot-summary.ts';
import { identify } from '../src/postgres/identity.ts';
import { dumpWarnings, takeDump } from '../src/postgres/logical/index.ts';
import {
  fetchDump,
  type LoadContext,
  type LoadRequest,
  loadDump,
  makePlannedRoles,
  planLoad,
  removeFetched,
  requirePlan,
  undoLoad,
  undoRoles,
  type Wanted,
} from '../src/postgres/logical/load/index.ts';
import type { Source } from '../src/postgres/types.ts';
import type { SnapshotId } from '../src/vault/index.ts';
import type { DatabaseRequest, LoadStep, PostgresActivities } from './contract.ts';
import { type Running, runActivity } from './lib/activity-runner.ts';
import { factsChoice } from './lib/facts-choice.ts';
import { databaseOf, type HostServices } from './lib/host-services.ts';

type LoadNames = 'planLoad' | 'fetchDump' | 'makeRoles' | 'loadDump' | 'undoLoad' | 'undoRoles' | 'removeFetched';
export type LogicalNames = 'captureLogical' | LoadNames;

export function createLogicalActivities(services: HostServices): Pick<PostgresActivities, LogicalNames> {
  const { frame, host, configuration } = services;
  return {
    captureLogical: ({ component, snapshot, systemId }) =>
      runActivity(frame, async ({ signal, report, logger }) => {
        const { name, logical } = databaseOf(services, component);
        const source = await dumpSourceOf(services, { component });
        const found = await identify(source);
        if (found.systemId !== systemId) {
          fail(
            'DATABASE_IDENTITY',
            `the server at 'logical.url' is cluster ${found.systemId}, that of 'url' ${systemId}`,
          );
        }
        const vault = await services.vault();
        const stateDirectory = stateDirectoryOf(configuration, host);
        // Before anything is added: a snapshot with a higher number would hide that a copy was put back.
        await observeHeads(vault, stateDirectory);
        const taken = await takeDump({
          ...{ source, vault, signal, logger },
          request: { snapshotId: snapshot as SnapshotId, component, host },
          choice: logical,
          facts: factsChoice(databaseOf(services, component)),
          jobs: logical.jobs,
          spoolDirectory: path.join(stateDirectory, 'dump', name),
          onProgress: (note) => report({ note }),
        });
        const warnings = dumpWarnings(taken);
        return { snapshot: summarizeSnapshot(taken), ...(warnings.length === 0 ? {} : { warnings }) };
      }),
    ...createLoadActivities(services),
  };
}

function createLoadActivities(services: HostServices): Pick<PostgresActivities, LoadNames> {
  const { frame } = services;
  type Step<T> = (request: LoadRequest, context: LoadContext, plan: LoadPlan) => Promise<T>;
  /** One step on the plan that was kept. */
  const step = <T>({ run, input }: LoadStep, work: Step<T>) =>
    runActivity(frame, async (running) => {
      const context = await loadContext(services, input, running);
      const plan = (await context.vault.getRecord(run, 'plan')) as LoadPlan;
      return await work(loadRequest(services, run, input), context, plan);
    });
  /** Without the vault: an undo must be possible while no store answers. */
  const undo = ({ run, input }: LoadStep, work: (place: LoadPlace, run: string) => Promise<void>) =>
    runActivity(frame, async () => await work(await placeOf(services, input), run));
  return {
    planLoad: ({ run, input, keep }) =>
      runActivity(frame, async (running) => {
        const context = await loadContext(services, input, running);
        const { vault } = context;
        const kept = (await vault.listRecords(run)).some(({ name }) => name === 'plan');
        // An earlier attempt has frozen it: planning again could give another.
        if (keep && kept) return (await vault.getRecord(run, 'plan')) as LoadPlan;
        const plan = await planLoad(loadRequest(services, run, input), context);
        if (keep) await vault.putRecord(run, 'plan', plan);
        return plan;
      }),
    fetchDump: (request) =>
      step(request, async (asked, context, plan) => {
        await requirePlan(asked, context, plan);
        await fetchDump(asked, context, plan);
      }),
    makeRoles: (request) => step(request, makePlannedRoles),
    loadDump: (request) => step(request, loadDump),
    undoLoad: (request) =>
      undo(request, async (place, run) => await undoLoad(place, run, await underOf(services, request))),
    undoRoles: (request) => undo(request, undoRoles),
    removeFetched: (request) => undo(request, removeFetched),
  };
}

/** Where a table under another name may have been left half; the plan knows it where the input does not. */
async function underOf(services: HostServices, { run, input }: LoadStep) {
  const { as, component, database } = input;
  if (as === undefined) return undefined;
  const planned = async () => ((await (await services.vault('restore')).getRecord(run, 'plan')) as LoadPlan).into;
  return { estate: services.configuration.name, component, run, into: input.into ?? database ?? (await planned()) };
}

function loadRequest({ host, configuration }: HostServices, run: string, input: LoadDumpInput): LoadRequest {
  const { component, snapshot, database, schema, table, into, as, globals, from } = input;
  return {
    ...{ component, estate: configuration.name, host, run, snapshot, globals: globals === true },
    wanted: wantedOf(schema, table),
    ...(database === undefined ? {} : { database }),
    ...(into === undefined ? {} : { into }),
    ...(as === undefined ? {} : { as }),
    ...(from === undefined ? {} : { from }),
  };
}

function wantedOf(schema: LoadDumpInput['schema'], table: LoadDumpInput['table']): Wanted {
  if (table !== undefined) return { type: 'table', ...table };
  return schema === undefined ? { type: 'database' } : { type: 'schema', schema };
}

async function loadContext(
  services: HostServices,
  input: LoadDumpInput,
  { signal, report }: Running,
): Promise<LoadContext> {
  const { jobs } = databaseOf(services, input.component).logical;
  const vault = await services.vault('restore');
  return { ...(await placeOf(services, input)), vault, jobs, signal, onProgress: (note) => report({ note }) };
}

type LoadPlace = Pick<LoadContext, 'target' | 'spoolDirectory'>;

async function placeOf(services: HostServices, { component }: LoadDumpInput): Promise<LoadPlace> {
  const { configuration, host } = services;
  const { name, url, logical } = databaseOf(services, component);
  return {
    target: { component, url: await resolveSecret(logical.loadUrl ?? logical.url ?? url) },
    spoolDirectory: path.join(stateDirectoryOf(configuration, host), 'load', name),
  };
}

async function dumpSourceOf(services: HostServices, { component }: DatabaseRequest): Promise<Source> {
  const { url, logical } = databaseOf(services, component);
  return { component, url: await resolveSecret(logical.url ?? url) };
}
