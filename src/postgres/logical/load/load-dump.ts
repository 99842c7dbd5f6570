// Loads what was planned: into a database of a passing name, counted there, then given its name or, where the database is there, added in one transaction.

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LoadPlan, LoadResult } from '../../../domain/load.ts';
import { fail, fromErrorData } from '../../../errors/index.ts';
import type { SnapshotOnCopies } from '../../../vault/types.ts';
import type { PostgresTools } from '../../tools.ts';
import type { Source } from '../../types.ts';
import { isLargeObjects, type LinkedEntry } from '../archive-toc.ts';
import { clientEnvironment, databaseArgument, inDatabase } from '../client-environment.ts';
import { runProgram } from '../client-program.ts';
import type { DumpedDatabase } from '../types.ts';
import { type ComparedRows, compareRows, countLargeObjects } from './compare-rows.ts';
import { fetchFiles, openDump } from './fetch-dump.ts';
import { dropRoles, makeRoles } from './globals.ts';
import { planLoad, toolsFor } from './plan-load.ts';
import { chooseDatabase, chooseSnapshot, type LoadContext, type LoadRequest, passingName } from './request.ts';
import type { Selection } from './select-entries.ts';
import {
  dropDatabase,
  inTheWay,
  isMadeBy,
  lookAtServer,
  makeDatabase,
  nameDatabase,
  schemasOf,
} from './target-database.ts';

/** Throws the first thing in the way, and `PLAN_CHANGED` when what would be done now is not what was planned. */
export async function requirePlan(request: LoadRequest, context: LoadContext, plan: LoadPlan): Promise<void> {
  const [blocker] = plan.blockers ?? [];
  if (blocker !== undefined) throw fromErrorData(blocker);
  const now = await planLoad({ ...request, snapshot: plan.snapshot }, context);
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
 * Throws `TARGET_UNFIT` when what is loaded is there by now, `RECOVERY_MISMATCH` when the rows are not those of the dump, and what pg_restore complains of.
 * Nothing that anybody sees has changed then.
 */
export async function loadDump(request: LoadRequest, context: LoadContext, plan: LoadPlan): Promise<LoadResult> {
  const { target, signal, onProgress } = context;
  const { database, opened, directory, tools, server } = await open(request, context, plan);
  const { selection } = opened;
  const dump = path.join(directory, database.path);
  const passing = passingName(plan.run);
  if (plan.isNew && (await isNamed(target, plan))) {
    return resultOf(plan, await compareRows(inDatabase(target, plan.into), dump, selection.entries, signal));
  }
  await makeDatabase(target, passing, database, server.major);
  onProgress?.(`loading ${plan.what}`);
  const list =
    request.wanted.type === 'database' ? undefined : await listFile(directory, 'new.list', selection.together);
  const restore = { context, tools, directory: dump };
  await pgRestore(restore, passing, list, [`--jobs=${context.jobs}`]);
  onProgress?.('counting rows');
  const compared = await compareRows(inDatabase(target, passing), dump, selection.entries, signal);
  await requireLargeObjects(context, passing, database, selection);
  signal.throwIfAborted();
  if (plan.isNew) await nameDatabase(target, plan, database);
  else await addTo(request, context, plan, { ...restore, selection, spool: directory });
  return resultOf(plan, compared);
}

interface Restoring {
  readonly context: LoadContext;
  readonly tools: PostgresTools;
  readonly directory: string;
}

/** The same files once more, proven in the passing database, into the one that is there: all of it or nothing. */
async function addTo(
  { wanted }: LoadRequest,
  context: LoadContext,
  plan: LoadPlan,
  { selection, spool, ...restore }: Restoring & { readonly selection: Selection; readonly spool: string },
): Promise<void> {
  const way = await inTheWay(context.target, plan.into, wanted);
  if (way !== undefined)
    fail('TARGET_UNFIT', `${way} is there by now`, { hint: 'look at it; `--into NAME` loads beside' });
  const schemas = await schemasOf(context.target, plan.into);
  const isThere = ({ kind, rest }: LinkedEntry) =>
    kind === 'SCHEMA' &&
    schemas.some((name) => rest.startsWith(`- ${name} `) && !rest.slice(name.length + 3).includes(' '));
  const list = await listFile(
    spool,
    'there.list',
    selection.entries.filter((entry) => !isThere(entry)),
  );
  await pgRestore(restore, plan.into, list, ['--single-transaction']);
  await dropDatabase(context.target, passingName(plan.run));
}

async function pgRestore(
  { context, tools, directory }: Restoring,
  database: string,
  list: string | undefined,
  args: readonly string[],
): Promise<void> {
  const { target, signal } = context;
  const use = list === undefined ? [] : [`--use-list=${list}`];
  const options = ['--exit-on-error', '--no-password', ...args, ...use, databaseArgument(database), directory];
  await runProgram(tools, 'pg_restore', options, { client: clientEnvironment(target), signal });
}

async function listFile(directory: string, name: string, entries: readonly LinkedEntry[]): Promise<string> {
  const file = path.join(directory, name);
  await writeFile(file, `${entries.map(({ line }) => line).join('\n')}\n`, { mode: 0o600 });
  return file;
}

async function requireLargeObjects(
  { target }: LoadContext,
  passing: string,
  { largeObjects }: DumpedDatabase,
  { entries }: Selection,
): Promise<void> {
  if (!entries.some(isLargeObjects)) return;
  const found = await countLargeObjects(inDatabase(target, passing));
  if (found !== largeObjects) {
    fail('RECOVERY_MISMATCH', `${found} large objects are there after the load, the dump has ${largeObjects}`);
  }
}

/** An attempt that was killed after the last step has left its mark on the database. Throws `TARGET_UNFIT` for one that is somebody else's. */
async function isNamed(target: Source, plan: LoadPlan): Promise<boolean> {
  const { databases } = await lookAtServer(target);
  if (!databases.includes(plan.into)) return false;
  if (await isMadeBy(target, plan.into, plan.run)) return true;
  return fail('TARGET_UNFIT', `a database '${plan.into}' was made meanwhile`, {
    hint: 'choose another name with `--into NAME`',
  });
}

function resultOf(plan: LoadPlan, { tables, rows }: ComparedRows): LoadResult {
  const { run: id, component, snapshot, database, moment, what, into, isNew, leftOut } = plan;
  const empty = rows > 0 ? [] : ['no table holds a row: there was nothing to compare'];
  const warnings = [...empty, ...leftOut.map((each) => `left out: ${each}`)];
  const told = warnings.length === 0 ? {} : { warnings };
  return { id, component, snapshot, database, moment, what, into, isNew, tables, rows, ...told };
}

/** Drops what a run made and did not finish; a database that has its name already stays. */
export async function undoLoad({ target }: Pick<LoadContext, 'target'>, run: string): Promise<void> {
  await dropDatabase(target, passingName(run));
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
