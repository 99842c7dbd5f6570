// Activities of bringing back one table or one database of a moment: the recovery's own steps do the rest; here it is taken out, loaded, placed.

import path from 'node:path';
import { resolveSecret } from '../config/index.ts';
import type { RestorePartInput } from '../src/domain/operations.ts';
import type { PartPlan, TableName } from '../src/domain/part.ts';
import { bytesText } from '../src/domain/size.ts';
import { type ErrorData, fail, HoldfastError } from '../src/errors/index.ts';
import { inDatabase } from '../src/postgres/logical/client-environment.ts';
import { dropDatabase, passingName } from '../src/postgres/logical/load/index.ts';
import {
  type CarryRequest,
  comparing,
  dropPassing,
  extractApart,
  extractDatabase,
  fitColumns,
  giveName,
  keptTable,
  loadApart,
  loadDatabase,
  lookAtPart,
  lookAtTable,
  namedBefore,
  nameLoaded,
  onProduction,
  type PartRequest,
  plainName,
  replacedBefore,
  replaceRows,
  requireRoom,
  setApart,
  sizeOfApart,
  undoDatabase,
  undoTable,
  untilKnown,
} from '../src/postgres/logical/table/index.ts';
import { abandonOthers, cloneDirectory, prepareWork, recoveredSource } from '../src/postgres/recovery/index.ts';
import { findTools } from '../src/postgres/tools.ts';
import type { RestorePlan, Source } from '../src/postgres/types.ts';
import type { ExtractedPart, PartStep, PlacedPart, PlacePart, PostgresActivities } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import { databaseOf, type HostServices } from './lib/host-services.ts';
import type { RunningPlan } from './lib/running-plan.ts';
import { freezePlan, planSteps, summarize } from './restore-activities.ts';

export type PartNames =
  | 'planPart'
  | 'recheckPart'
  | 'preparePart'
  | 'extractPart'
  | 'loadPart'
  | 'placePart'
  | 'undoPart';

export function createPartActivities(services: HostServices): Pick<PostgresActivities, PartNames> {
  const { frame } = services;
  const step = planSteps(services);
  return {
    planPart: ({ run, input, keep }) => runActivity(frame, () => planPart(services, run, input, keep)),
    recheckPart: ({ run, input, digest }) =>
      runActivity(frame, async () => {
        const now = await planPart(services, run, input, false);
        if (now.digest === digest) return;
        fail('PLAN_CHANGED', `the plan is no longer the one that was shown (${digest})`, {
          details: { now: now.digest },
        });
      }),
    preparePart: (request) =>
      step(request, async ({ plan, guard }) => {
        const warnings = await abandonOthers(plan, guard);
        await prepareWork(plan, guard);
        return warnings;
      }),
    extractPart: (request) => step(request, (at) => extractPart(services, request, at)),
    loadPart: (request) => step(request, (at) => loadPart(services, request, at)),
    placePart: (request) => step(request, (at) => placePart(services, request, at)),
    undoPart: (request) =>
      runActivity(frame, async () => {
        const { run, component, input, production, database } = request;
        const target = await targetOf(services, request);
        const { table, as, into = database } = input;
        if (table === undefined) return await undoDatabase(target, run, into);
        const undo = { estate: services.configuration.name, component, run, table, ...(as && { as }) };
        await onProduction(inDatabase(target, database), production, (plain) => undoTable(plain, undo));
      }),
  };
}

async function targetOf(services: HostServices, { component }: Pick<PartStep, 'component'>): Promise<Source> {
  const { url, logical } = databaseOf(services, component);
  return { component, url: await resolveSecret(logical.loadUrl ?? logical.url ?? url) };
}

async function planPart(
  services: HostServices,
  run: string,
  input: RestorePartInput,
  keep: boolean,
): Promise<PartPlan> {
  const vault = await services.vault('restore');
  // An earlier attempt has frozen it: planning again could give another.
  if (keep && (await vault.listRecords(run)).some(({ name }) => name === 'part')) {
    return (await vault.getRecord(run, 'part')) as PartPlan;
  }
  const { component, to, exclusive, timeline, from } = input;
  const planned = {
    ...{ component, to, beside: { directory: cloneOf(services, input), start: false, throwaway: true as const } },
    ...(exclusive === undefined ? {} : { exclusive }),
    ...(timeline === undefined ? {} : { timeline }),
    ...(from === undefined ? {} : { from }),
  };
  const target = await targetOf(services, input);
  const recovered = await freezePlan(services, run, planned, keep);
  const { space, ...summary } = await summarize(services, recovered);
  const beside = { directory: path.dirname(recovered.place.dataDirectory), neededBytes: space.neededBytes };
  const facts = await lookAtPart(target, { ...partRequest(run, input), recovery: beside }, recovered.source.systemId);
  const { digest, warnings, blockers = [], ...rest } = facts;
  // What is taken out lies beside the recovered server for a while.
  const neededBytes = space.neededBytes + (facts.today?.sizeBytes ?? facts.databaseBytes ?? 0);
  const recovery = { ...summary, space: { ...space, neededBytes } };
  const fits = neededBytes <= space.availableBytes || space.neededBytes > space.availableBytes;
  const all = [...(recovery.blockers ?? []), ...(fits ? [] : [noRoom(recovery)]), ...blockers];
  const plan: PartPlan = {
    ...{ run, component, host: services.host, recovery, ...rest },
    warnings,
    ...(all.length === 0 ? {} : { blockers: all }),
    digest: `${digest}${recovery.digest.slice(0, 16)}`,
  };
  if (keep) await vault.putRecord(run, 'part', plan);
  return plan;
}

function noRoom({ dataDirectory, space }: PartPlan['recovery']): ErrorData {
  const words = `${bytesText(space.neededBytes)}, ${bytesText(space.availableBytes)} are free`;
  return new HoldfastError('NO_SPACE', `the recovery in '${dataDirectory}' and what is taken out of it need ${words}`, {
    hint: "make room there, or choose another place with '--beside DIR'; nothing was touched",
  }).toJSON();
}

/** Throws `TARGET_UNFIT` where nothing says where there is room. */
function cloneOf(services: HostServices, { component, clone }: RestorePartInput): string {
  if (clone !== undefined) return clone;
  const { dataDirectory } = databaseOf(services, component);
  if (dataDirectory !== undefined) return cloneDirectory(dataDirectory);
  return fail('TARGET_UNFIT', `nothing says where '${component}' is recovered to for a while`, {
    hint: "name a directory with '--beside DIR', or set 'dataDirectory' in the configuration",
  });
}

function partRequest(run: string, { database, table, as, replace, into }: RestorePartInput): PartRequest {
  return {
    run,
    way: table === undefined ? 'into' : replace === true ? 'replace' : 'as',
    ...(database === undefined ? {} : { database }),
    ...(table === undefined ? {} : { table }),
    ...(as === undefined ? {} : { as }),
    ...(into === undefined ? {} : { into }),
  };
}

/** Below the run's work directory, so that it goes with it. */
function carryOf(services: HostServices, request: PartStep, { plan, running: { signal } }: RunningPlan): CarryRequest {
  const { run, component, input } = request;
  const { jobs } = databaseOf(services, component).logical;
  const as = input.as?.table ?? input.table?.table ?? '';
  const directory = path.join(plan.workDirectory, 'extract');
  return { run, estate: services.configuration.name, component, as, directory, jobs, signal };
}

const aboutMoment = ({ resolved }: RestorePlan) => `as of ${resolved.moment}`;

async function extractPart(services: HostServices, request: PartStep, at: RunningPlan): Promise<ExtractedPart> {
  const { plan, running } = at;
  const { input, database, production } = request;
  const target = await targetOf(services, request);
  const tools = await findTools(plan.source.major);
  const carry = carryOf(services, request, at);
  const { table } = input;
  if (table === undefined) {
    const own = await recoveredSource(plan, 'postgres');
    return { type: 'database', database: await extractDatabase(own, target, tools, database, carry) };
  }
  const own = await recoveredSource(plan, database);
  const apart = {
    run: request.run,
    table,
    as: carry.as,
    moment: `at ${plan.resolved.moment} in database '${database}'`,
  };
  const then = await comparing(own, (plain) => setApart(plain, apart)).catch((error: unknown) => {
    throw noDatabase(error, database, plan);
  });
  running.report({ note: `dumping ${plainName(table)}` });
  const fitted =
    input.replace === true
      ? await onProduction(inDatabase(target, database), production, async (plain) => {
          const today = await lookAtTable(plain, table);
          if (today === undefined) return fail('TARGET_UNFIT', `'${plainName(table)}' is not there any more`);
          return fitColumns(table, then.columns, today.columns);
        })
      : { columns: then.columns.map(({ name }) => name), warnings: [] };
  const extent = input.replace === true ? 'only rows' : 'table';
  const extracted = await extractApart(own, tools, carry, { columns: fitted.columns, extent });
  return { type: 'table', owner: then.owner, table: extracted, warnings: fitted.warnings };
}

const NO_SUCH_DATABASE = /database "[^"]*" does not exist/;

function noDatabase(error: unknown, database: string, { resolved }: RestorePlan): unknown {
  if (!(error instanceof Error) || !NO_SUCH_DATABASE.test(error.message)) return error;
  return fail('NOT_FOUND', `there was no database '${database}' at ${resolved.moment}`, {
    hint: 'choose another moment',
  });
}

async function loadPart(services: HostServices, request: PlacePart, at: RunningPlan): Promise<void> {
  const { run, component, production, database, extracted, input } = request;
  const target = await targetOf(services, request);
  const tools = await findTools(production.major);
  const carry = carryOf(services, request, at);
  const own = await recoveredSource(at.plan, extracted.type === 'database' ? extracted.database.name : database);
  const size = await comparing(own, (plain) => sizeOfApart(plain, extracted.type === 'database' ? undefined : run));
  const there = extracted.type === 'database' ? target : inDatabase(target, database);
  const { table } = input;
  // What an attempt before this one has loaded takes room, too.
  if (table === undefined) await dropDatabase(target, passingName(run));
  const place = { estate: services.configuration.name, component, run };
  await onProduction(there, production, async (plain) => {
    if (table !== undefined) await dropPassing(plain, place);
    await requireRoom(plain, production.systemId, { ...partRequest(run, input), size });
  });
  if (extracted.type === 'database') await loadDatabase(target, production, tools, extracted.database, carry);
  else await loadApart(there, production, tools, carry, extracted.table);
}

async function placePart(services: HostServices, request: PlacePart, at: RunningPlan): Promise<PlacedPart> {
  const { production, database, extracted, input } = request;
  const target = await targetOf(services, request);
  if (extracted.type === 'database') {
    const tools = await findTools(production.major);
    const named = { ...carryOf(services, request, at), into: input.into ?? database };
    const { leftOut, ...loaded } = await nameLoaded(target, production, tools, extracted.database, named);
    return withEmpty(
      loaded,
      leftOut.map((each) => `left out: ${each}`),
    );
  }
  const { rows, sum, tables } = extracted.table;
  const place = { target: inDatabase(target, database), expected: production, signal: at.running.signal };
  const placed = input.replace === true ? await replace(place, request, at) : await name(place, request, at);
  const { kept, warnings } = placed;
  return withEmpty({ rows, sum, tables, ...(kept === undefined ? {} : { kept }) }, [
    ...extracted.warnings,
    ...warnings,
  ]);
}

type Placed = { readonly kept?: PlacedPart['kept']; readonly warnings: readonly string[] };
type Where = Parameters<typeof untilKnown>[0];

async function replace(
  where: Where,
  { run, input, extracted }: PlacePart,
  { plan, running, guard: { check } }: RunningPlan,
): Promise<Placed> {
  if (extracted.type !== 'table') return fail('INTERNAL', 'a database has no rows of its own');
  const table = input.table as TableName;
  const { signal, report } = running;
  const onWaiting = (note: string) => report({ note });
  const about = `by those ${aboutMoment(plan)}`;
  const request = { run, table, about, extracted: extracted.table, signal, onWaiting, check };
  const replaced = await untilKnown(
    where,
    (plain) => replaceRows(plain, request),
    (plain) => replacedBefore(plain, request),
  );
  return { kept: { table: plainName(keptTable(table, run)), rows: replaced.kept }, warnings: replaced.warnings };
}

async function name(
  where: Where,
  { run, input, extracted }: PlacePart,
  { plan, guard: { check } }: RunningPlan,
): Promise<Placed> {
  if (extracted.type !== 'table') return fail('INTERNAL', 'a database has no table of its own');
  const about = `${plainName(input.table as TableName)} ${aboutMoment(plan)}`;
  const request = { run, into: input.as as TableName, owner: extracted.owner, about, check };
  const warnings = await untilKnown(
    where,
    (plain) => giveName(plain, request),
    (plain) => namedBefore(plain, request),
  );
  return { warnings };
}

/** Something must have been compared, or it is said that there was nothing. */
function withEmpty(placed: Omit<PlacedPart, 'warnings'>, told: readonly string[]): PlacedPart {
  const warnings = placed.rows > 0 ? told : ['it held no row at that moment: there was nothing to compare', ...told];
  return { ...placed, ...(warnings.length === 0 ? {} : { warnings }) };
}
