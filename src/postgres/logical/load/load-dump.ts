// Loads what was planned: into a database of a passing name, counted there, then given its name or, where the database is there, added in one transaction.

import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { LoadPlan, LoadResult } from '../../../domain/load.ts';
import type { RecoveryCheck } from '../../../domain/run-data.ts';
import { fail, fromErrorData } from '../../../errors/index.ts';
import type { SnapshotOnCopies } from '../../../vault/types.ts';
import type { LinkedEntry } from '../archive-toc.ts';
import { inDatabase } from '../client-environment.ts';
import type { LogicalDetails } from '../types.ts';
import { type ComparedRows, compareRows } from './compare-rows.ts';
import { fetchFiles, openDump } from './fetch-dump.ts';
import { type DumpAtHand, fillPassing, listFile, pgRestore, placingAt, spaceOptions } from './fill-passing.ts';
import { dropRoles, makeRoles } from './globals.ts';
import { countUnder, dropUnder, hasName, type LeftUnder, loadUnderName, type UnderName } from './load-under-name.ts';
import { compareLoadedFacts } from './loaded-facts.ts';
import { planLoad, toolsFor } from './plan-load.ts';
import { chooseDatabase, chooseSnapshot, type LoadContext, type LoadRequest, passingName } from './request.ts';
import { requireRoomToLoad } from './room-of-load.ts';
import type { Selection } from './select-entries.ts';
import { dropDatabase, inTheWay, isNamed, lookAtServer, nameDatabase, schemasOf } from './target-database.ts';

/** Before anything was fetched. Throws the first thing in the way, also what came meanwhile, and `PLAN_CHANGED` when what would be done now is not what was planned. */
export async function requirePlan(request: LoadRequest, context: LoadContext, plan: LoadPlan): Promise<void> {
  const [blocker] = plan.blockers ?? [];
  if (blocker !== undefined) throw fromErrorData(blocker);
  const now = await planLoad({ ...request, snapshot: plan.snapshot }, context);
  const [meanwhile] = now.blockers ?? [];
  if (meanwhile !== undefined) throw fromErrorData(meanwhile);
  if (now.digest !== plan.digest) fail('PLAN_CHANGED', `the plan now has digest '${now.digest}', not '${plan.digest}'`);
}

/** Everything that is wanted, below the spool; what another run of the component left there is removed. */
export async function fetchDump(request: LoadRequest, context: LoadContext, plan: LoadPlan): Promise<void> {
  const { spoolDirectory, signal, onProgress } = context;
  await mkdir(spoolDirectory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(spoolDirectory)) {
    if (name !== plan.run) await rm(path.join(spoolDirectory, name), { recursive: true, force: true });
  }
  const { source, opened, directory } = await open(request, context, plan);
  await fetchFiles(source, opened.files, {
    ...{ directory, signal },
    onProgress: (bytes) => onProgress?.(`${bytes} of ${plan.bytes} bytes fetched`),
  });
}

export async function makePlannedRoles(request: LoadRequest, context: LoadContext, plan: LoadPlan): Promise<void> {
  const { opened } = await open(request, context, plan);
  await makeRoles(context.target, plan.run, opened.globals, plan.roles);
}

/**
 * Throws `TARGET_UNFIT` when what is loaded is there by now, `NO_SPACE` when the server has no room for it, `RECOVERY_MISMATCH` when the rows are not those of the dump, and what pg_restore complains of.
 * Nothing that anybody sees has changed then.
 */
export async function loadDump(request: LoadRequest, context: LoadContext, plan: LoadPlan): Promise<LoadResult> {
  const { target, signal, onProgress } = context;
  const { source, database, opened, directory, tools, server } = await open(request, context, plan);
  const { selection } = opened;
  const dump = path.join(directory, database.path);
  const passing = passingName(plan.run);
  const under = underName(request, plan, directory);
  const isWhole = request.wanted.type === 'database';
  const details = source.snapshot.engine as LogicalDetails;
  const loaded = { name: database.name, details, major: server.major, signal };
  const factsIn = async (name: string) =>
    isWhole ? [await compareLoadedFacts({ ...loaded, target: inDatabase(target, name) })] : [];
  if (under !== undefined && (await hasName(target, under))) {
    return resultOf(plan, { tables: plan.tables, rows: await countUnder(target, under) });
  }
  if (plan.isNew && (await isNamed(target, plan))) {
    const rows = await compareRows(inDatabase(target, plan.into), dump, selection.entries, signal);
    return resultOf(plan, { ...rows, checks: await factsIn(plan.into) });
  }
  const at = { target, tools, database, dump, jobs: context.jobs, signal, ...(onProgress && { onProgress }) };
  // What an attempt before this one has loaded takes room, too.
  await dropDatabase(target, passing);
  const { bytes } = opened;
  await requireRoomToLoad(target, { database, isWhole, bytes, ...(plan.isNew ? {} : { into: plan.into }) });
  const compared = await fillPassing(at, { passing, entries: selection.entries, loaded: selection.together });
  const checks = await factsIn(passing);
  if (under !== undefined) return resultOf(plan, compared, await loadUnderName(at, under));
  if (plan.isNew) await nameDatabase(target, plan, database);
  else await addTo(request, at, plan, { selection, spool: directory });
  return resultOf(plan, { ...compared, checks });
}

function underName(request: LoadRequest, { run, into, moment }: LoadPlan, directory: string): UnderName | undefined {
  const { wanted, as, estate, component } = request;
  if (as === undefined || wanted.type !== 'table') return undefined;
  const table = { schema: wanted.schema, table: wanted.table };
  return { run, estate, component, table, as, into, moment, directory };
}

/** The same files once more, proven in the passing database, into the one that is there: all of it or nothing. */
async function addTo(
  { wanted }: LoadRequest,
  at: DumpAtHand,
  plan: LoadPlan,
  { selection, spool }: { readonly selection: Selection; readonly spool: string },
): Promise<void> {
  const way = await inTheWay(at.target, plan.into, wanted);
  if (way !== undefined)
    fail('TARGET_UNFIT', `${way} is there by now`, { hint: 'look at it; `--into NAME` loads beside' });
  const schemas = await schemasOf(at.target, plan.into);
  const isThere = ({ kind, rest }: LinkedEntry) =>
    kind === 'SCHEMA' &&
    schemas.some((name) => rest.startsWith(`- ${name} `) && !rest.slice(name.length + 3).includes(' '));
  const missing = selection.entries.filter((entry) => !isThere(entry));
  const options = ['--single-transaction', ...spaceOptions(await placingAt(at))];
  await pgRestore(at, plan.into, options, await listFile(spool, 'there.list', missing));
  await dropDatabase(at.target, passingName(plan.run));
}

interface Compared extends ComparedRows {
  readonly checks?: readonly RecoveryCheck[];
}

function resultOf(plan: LoadPlan, { tables, rows, checks = [] }: Compared, told: readonly string[] = []): LoadResult {
  const { run: id, component, snapshot, database, moment, what, into, as, isNew, leftOut } = plan;
  const empty = rows > 0 ? [] : ['no table holds a row: there was nothing to compare'];
  const warnings = [...empty, ...leftOut.map((each) => `left out: ${each}`), ...told];
  const checked = checks.length > 0 && { checks };
  const result = { id, component, snapshot, database, moment, what, into, isNew, tables, rows, ...checked };
  return { ...result, ...(as === undefined ? {} : { as }), ...(warnings.length === 0 ? {} : { warnings }) };
}

/** Drops what a run made and did not finish; a database that has its name already stays, and so does a table. */
export async function undoLoad({ target }: Pick<LoadContext, 'target'>, run: string, under?: LeftUnder): Promise<void> {
  await dropDatabase(target, passingName(run));
  if (under !== undefined) await dropUnder(target, under);
}

export async function undoRoles({ target }: Pick<LoadContext, 'target'>, run: string): Promise<void> {
  await dropRoles(target, run);
}

export async function removeFetched(
  { spoolDirectory }: Pick<LoadContext, 'spoolDirectory'>,
  run: string,
): Promise<void> {
  await rm(path.join(spoolDirectory, run), { recursive: true, force: true });
}

async function open(request: LoadRequest, context: LoadContext, plan: LoadPlan) {
  const { vault, target, signal, spoolDirectory } = context;
  const snapshot: SnapshotOnCopies = await chooseSnapshot(vault, { ...request, snapshot: plan.snapshot });
  const database = chooseDatabase(snapshot, plan.database);
  const server = await lookAtServer(target);
  const tools = await toolsFor(server, snapshot);
  const directory = path.join(spoolDirectory, plan.run);
  const source = { vault, snapshot, ...(request.from === undefined ? {} : { from: request.from }) };
  const opened = await openDump(source, database, request.wanted, { directory, tools, signal });
  return { source, database, server, tools, directory, opened };
}
