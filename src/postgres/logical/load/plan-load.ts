// The plan of a load: which dump, what of it, into what, what that needs, and what is in the way; nothing is touched.

import { createHash } from 'node:crypto';
import type { LoadPlan } from '../../../domain/load.ts';
import type { ProductionRoom } from '../../../domain/part.ts';
import { bytesText } from '../../../domain/size.ts';
import { type ErrorData, fail, HoldfastError } from '../../../errors/index.ts';
import { inOwnDirectory } from '../../../process/index.ts';
import { servingCopy } from '../../../vault/index.ts';
import type { SnapshotOnCopies } from '../../../vault/types.ts';
import { findTools, type PostgresTools } from '../../tools.ts';
import { isTableData } from '../archive-toc.ts';
import { inDatabase } from '../client-environment.ts';
import { placingWarnings } from '../spread.ts';
import { blockersOfName, lacking } from '../table/part-blockers.ts';
import { lackOfRoom, type RoomBeside, roomWarnings } from '../table/production-room.ts';
import { comparing } from '../table/sessions.ts';
import { plainName } from '../table/table-names.ts';
import type { DumpedDatabase, LogicalDetails } from '../types.ts';
import { type OpenedDump, openDump } from './fetch-dump.ts';
import { missingRoles, rolesOf } from './globals.ts';
import { chooseDatabase, chooseSnapshot, type LoadContext, type LoadRequest } from './request.ts';
import { roomOfLoad, roomOfSpool } from './room-of-load.ts';
import type { Wanted } from './select-entries.ts';
import { inTheWay, lookAtServer, schemasOf, type TargetServer } from './target-database.ts';

/** Most that a plan names of each list; the rest is counted. */
const MOST_NAMED = 20;

/** Throws `NO_SNAPSHOT`, also where the copy that was asked for cannot serve, `NOT_FOUND`, `USAGE`, `TOOL_VERSION`; what else is in the way is told in the plan. */
export async function planLoad(request: LoadRequest, context: LoadContext): Promise<LoadPlan> {
  const { vault, target, signal } = context;
  const snapshot = await chooseSnapshot(vault, request);
  if (request.from !== undefined) await servingCopy(vault, snapshot, request.from);
  const database = chooseDatabase(snapshot, request.database);
  const server = await lookAtServer(target);
  const tools = await toolsFor(server, snapshot);
  // Its list and globals are there in clear.
  const place = { parent: `${context.spoolDirectory}-plan`, prefix: 'list-', signal };
  return await inOwnDirectory(place, async (directory) => {
    const { from } = request;
    const source = { vault, snapshot, ...(from === undefined ? {} : { from }) };
    const opened = await openDump(source, database, request.wanted, { directory, tools, signal });
    return await makePlan(request, context, { snapshot, database, server, opened });
  });
}

/** Newer programs read older dumps, never the reverse. Throws `TOOL_VERSION`. */
export async function toolsFor({ major }: TargetServer, { engine }: SnapshotOnCopies): Promise<PostgresTools> {
  const dumped = (engine as LogicalDetails).major;
  if (dumped > major) {
    fail('TOOL_VERSION', `the dump is of PostgreSQL ${dumped}, the server is ${major}: an older one cannot read it`, {
      hint: `load it into a server of ${dumped} or later`,
    });
  }
  return await findTools(major);
}

export function wordsOf(wanted: Wanted, database: string): string {
  if (wanted.type === 'database') return `database ${database}`;
  return wanted.type === 'schema' ? `schema ${wanted.schema}` : `table ${wanted.schema}.${wanted.table}`;
}

interface Parts {
  readonly snapshot: SnapshotOnCopies;
  readonly database: DumpedDatabase;
  readonly server: TargetServer;
  readonly opened: OpenedDump;
}

async function makePlan(request: LoadRequest, context: LoadContext, parts: Parts): Promise<LoadPlan> {
  const { component, host, run, wanted, globals } = request;
  const { snapshot, database, server, opened } = parts;
  const { selection } = opened;
  const into = request.into ?? database.name;
  const isNew = !server.databases.includes(into);
  const roles = await missingRoles(context.target, rolesOf(opened.globals));
  const blockers = await blockersOf(request, context, parts, { into, isNew, roles });
  const facts = {
    ...{ component, host, snapshot: snapshot.id, database: database.name, moment: database.moment },
    ...{ what: wordsOf(wanted, database.name), into, isNew },
    ...(request.as === undefined ? {} : { as: plainName(request.as) }),
    majors: { dumped: (snapshot.engine as LogicalDetails).major, server: server.major },
    tables: selection.entries.filter(isTableData).length,
    bytes: opened.bytes,
    roles: globals ? roles : [],
    needs: named(selection.along.map(({ kind, rest }) => `${kind} ${rest}`)),
    leftOut: named(selection.leftOut),
    warnings: warningsOf(snapshot, globals, roles),
    ...(blockers.length === 0 ? {} : { blockers }),
  };
  const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16);
  return await withRoom({ run, ...facts, digest }, request, context, database);
}

/** What it takes of this host's disk and of the server's own; nothing that was decided: it changes by itself. */
async function withRoom(
  plan: Omit<LoadPlan, 'space'>,
  { wanted, as }: LoadRequest,
  { target, spoolDirectory }: LoadContext,
  database: DumpedDatabase,
): Promise<LoadPlan> {
  const { freeBytes, heldBytes } = await roomOfSpool(spoolDirectory);
  // Under another name it is taken out of the database of a passing name once more.
  const neededBytes = plan.bytes * (as === undefined ? 1 : 2);
  const space = { neededBytes, availableBytes: freeBytes + heldBytes };
  const dump: RoomBeside = { of: 'the dump', directory: spoolDirectory, neededBytes, heldBytes };
  const isWhole = wanted.type === 'database';
  const loaded = { database, isWhole, bytes: plan.bytes, ...(plan.isNew ? {} : { into: plan.into }) };
  const { placing, room } = await roomOfLoad(target, loaded, dump);
  const blockers = [...(plan.blockers ?? []), ...lacking(room), ...lackingHere(space, spoolDirectory, room)];
  return {
    ...plan,
    ...{ space, room },
    warnings: [...plan.warnings, ...(isWhole ? placingWarnings(placing) : []), ...roomWarnings(room)],
    ...(blockers.length === 0 ? {} : { blockers }),
  };
}

/** Unless it was said already, of the file system that the server lies on too. */
function lackingHere(
  { neededBytes, availableBytes }: LoadPlan['space'],
  directory: string,
  { places }: ProductionRoom,
): readonly ErrorData[] {
  const isSaid = places.some((place) => place.of.includes('the dump') && lackOfRoom({ places: [place] }).length > 0);
  if (isSaid || neededBytes <= availableBytes) return [];
  const message = `the dump takes ${bytesText(neededBytes)} in '${directory}', ${bytesText(availableBytes)} are free`;
  const hint = "make room there, or put 'stateDirectory' of this host on a larger disk";
  return [new HoldfastError('NO_SPACE', message, { hint }).toJSON()];
}

function warningsOf({ engine }: SnapshotOnCopies, globals: boolean, roles: readonly string[]): string[] {
  const { passwords } = (engine as LogicalDetails).globals;
  if (!globals || roles.length === 0 || passwords) return [];
  return ['the dump has no passwords of roles: those that are made cannot log in by one until they get it'];
}

interface Found {
  readonly into: string;
  readonly isNew: boolean;
  readonly roles: readonly string[];
}

async function blockersOf(
  { wanted, globals, as }: LoadRequest,
  { target }: LoadContext,
  { database, server, opened }: Parts,
  { into, isNew, roles }: Found,
): Promise<ErrorData[]> {
  const blockers: ErrorData[] = [];
  const block = (message: string, hint: string) =>
    blockers.push(new HoldfastError('TARGET_UNFIT', message, { hint }).toJSON());
  if (as !== undefined) {
    const message = `there is no database '${into}' that it could go into under another name`;
    if (isNew) block(message, 'name one that is there with `--into NAME`');
    else blockers.push(...(await comparing(inDatabase(target, into), (plain) => blockersOfName(plain, as))));
  }
  const way = isNew || as !== undefined ? undefined : await inTheWay(target, into, wanted);
  if (way !== undefined) {
    block(`${way} is there already, and is not loaded over`, 'load into a new database: `--into NAME`');
  }
  if (!isNew && way === undefined && as === undefined) {
    const schemas = await schemasOf(target, into);
    const needed = opened.selection.along.flatMap(({ kind, rest }) => (kind === 'SCHEMA' ? schemaName(rest) : []));
    const missing = needed.find((name) => !schemas.includes(name));
    if (missing !== undefined) {
      const hint = 'make it there, or load into a new database: `--into NAME`';
      block(`database '${into}' has no schema '${missing}', which is needed`, hint);
    }
  }
  if (!globals && roles.length > 0) {
    const hint = 'make them first, or let `--globals` make them as the dump has them';
    block(`the server lacks roles of the dump: ${named(roles).join(', ')}`, hint);
  }
  const lacking = database.extensions.filter((name) => !server.extensions.includes(name));
  if (lacking.length > 0) {
    const hint = 'install their packages for the major version of the server';
    block(`the server lacks extensions of the dump: ${lacking.join(', ')}`, hint);
  }
  return blockers;
}

function schemaName(rest: string): string {
  return rest.slice(2, rest.lastIndexOf(' '));
}

function named(all: readonly string[]): readonly string[] {
  if (all.length <= MOST_NAMED) return all;
  return [...all.slice(0, MOST_NAMED), `and ${all.length - MOST_NAMED} more`];
}
