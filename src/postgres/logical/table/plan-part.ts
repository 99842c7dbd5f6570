// What bringing back a part of a cluster means for production as it is today: what it is called, what hangs on it, and what is in the way; nothing is touched.

import { createHash } from 'node:crypto';
import { closest } from '../../../domain/closest.ts';
import { isRunName } from '../../../domain/ids.ts';
import type { PartPlan, PartWay, ProductionRoom, TableName } from '../../../domain/part.ts';
import { type ErrorData, fail, HoldfastError } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { Source } from '../../types.ts';
import { inDatabase } from '../client-environment.ts';
import { readSpread } from '../spread.ts';
import { holderHint, isLockTimeout } from './lock-timeout.ts';
import { blockersOf, lacking, listed } from './part-blockers.ts';
import { describeDatabase, lookAtServer } from './plan-database.ts';
import { roomOfTable } from './plan-room.ts';
import { roomWarnings } from './production-room.ts';
import { comparing } from './sessions.ts';
import { lookAtTable, type TableFacts, tablesLike } from './table-facts.ts';
import { keptTable, plainName } from './table-names.ts';
import { type Receivers, receiversOfNew } from './unpublished.ts';

export interface PartRequest {
  readonly run: string;
  readonly way: PartWay;
  /** Of the cluster; needed where it has several. */
  readonly database?: string;
  /** Absent: the whole database. */
  readonly table?: TableName;
  /** Of `as`: where it goes. */
  readonly as?: TableName;
  /** Of `into`: the new database. */
  readonly into?: string;
  /** Where the moment is recovered, and what that takes without what is taken out of it: it may be one of production's file systems. */
  readonly recovery?: { readonly directory: string; readonly neededBytes: number };
}

export type PartFacts = Omit<PartPlan, 'run' | 'component' | 'host' | 'recovery'>;

/** Throws the `DATABASE_…` errors of connecting, `USAGE`, `NOT_FOUND`; what is in the way of the rest is among the blockers. */
export async function lookAtPart(target: Source, request: PartRequest, recoveredSystemId: string): Promise<PartFacts> {
  // Who may not enter it dumps nothing of it today; how it was then lies is known when it is recovered.
  const spreadOf = (name: string) => comparing(inDatabase(target, name), readSpread).catch(() => undefined);
  const server = await comparing(target, (plain) => lookAtServer(plain, request, spreadOf));
  const { production, name: database, all } = server;
  const blockers: ErrorData[] = [];
  if (production.systemId !== recoveredSystemId) {
    const message = `the server that it would go into is cluster ${production.systemId}, the vault has ${recoveredSystemId}`;
    blockers.push(new HoldfastError('DATABASE_IDENTITY', message).toJSON());
  }
  const { table } = request;
  if (table === undefined) return withDigest(request, describeDatabase(request, { ...server, database, blockers }));
  if (!all.includes(database))
    fail('NOT_FOUND', `there is no database '${database}' today`, { hint: `databases: ${all.join(', ')}` });
  const held = (error: unknown): never => {
    if (!isLockTimeout(error)) throw error;
    return fail('LOCKED', `'${plainName(table)}' is held by somebody: it could not be looked at`, {
      hint: holderHint(table),
      cause: error,
    });
  };
  const look = async (plain: PlainConnection) => {
    const today = await lookAtTable(plain, table);
    blockers.push(...(await blockersOf(plain, request, table, today)));
    const receivers = await receiversOfNew(plain, newTableSchema(request, table));
    const gone = today === undefined && request.way === 'as' ? await goneWarning(plain, table) : undefined;
    return { today, receivers, gone, room: await roomOfTable(plain, request, { production, today }) };
  };
  const { today, receivers, gone, room } = await comparing(inDatabase(target, database), look).catch(held);
  blockers.push(...lacking(room));
  const base = { production, database, table, blockers, today, receivers, gone, room };
  return withDigest(request, describeTable(request, base));
}

/** It may have been dropped, which is why somebody wants it back; a name that was mistyped is found out when all is recovered, which may take hours. */
async function goneWarning(plain: PlainConnection, table: TableName): Promise<string> {
  const name = plainName(table);
  const near = closest(name, await tablesLike(plain, table));
  const meant = near === undefined ? '' : `; did you mean '${near}'?`;
  return `there is no table '${name}' today: whether there was one then is known when it is recovered${meant}`;
}

/** Where a table is made that stays: the one under another name, or the one that keeps the present rows. */
function newTableSchema({ way, as }: PartRequest, { schema }: TableName): string {
  return way === 'as' ? (as?.schema ?? schema) : schema;
}

type Base = Pick<PartFacts, 'production' | 'database'> & { readonly blockers: readonly ErrorData[] };

function describeTable(
  request: PartRequest,
  base: Base & {
    readonly table: TableName;
    readonly today: TableFacts | undefined;
    readonly receivers: Receivers;
    readonly gone: string | undefined;
    readonly room: ProductionRoom | undefined;
  },
): Omit<PartFacts, 'digest'> {
  const { production, database, table, today, receivers, gone, room, blockers } = base;
  const isReplace = request.way === 'replace';
  const into = isReplace ? table : (request.as ?? table);
  return {
    ...{ production, database, way: request.way, into: plainName(into) },
    what: `table ${plainName(table)}`,
    ...(isReplace ? { keptAs: keptName(table, request.run) } : {}),
    ...(today === undefined ? {} : { today: todayOf(today) }),
    notes: isReplace ? replaceNotes : asNotes,
    ...(room && { room }),
    warnings: [
      ...(gone === undefined ? [] : [gone]),
      ...(today === undefined ? [] : warningsOf(today, isReplace)),
      ...receiverWarnings(receivers, isReplace),
      ...roomWarnings(room),
    ],
    ...listed(blockers),
  };
}

/** A plan that nobody carries out has no run to name it by. */
function keptName(table: TableName, run: string): string {
  return isRunName(run) ? plainName(keptTable(table, run)) : `${plainName(table)}_before_<run>`;
}

const asNotes = [
  'comes with its columns, defaults, constraints, indexes and partitions, and sequences of its own; foreign keys, triggers, rules, policies, publications and grants stay behind: only its owner may read it',
  'loaded and compared in a schema of passage first, then given its name in one transaction; nothing that is there is changed',
];

const replaceNotes = [
  'the rows are exchanged in one transaction: readers see those of before until it ends, writers wait for it; nobody waits more than 2 s for us to begin, in 10 tries',
  'views, foreign keys, triggers, grants and publications stay as they are; foreign keys from and to it are checked before it ends, or nothing is changed',
  'columns are matched by name: one that is new gets its default; one that is gone or has another type ends it before anything is changed',
  'a sequence is never set back; it is moved forward where a row that comes back is ahead of it',
];

function todayOf({ owner, sizeBytes, columns, dependencies }: TableFacts): NonNullable<PartFacts['today']> {
  return { owner, sizeBytes, columns: columns.length, dependencies };
}

function warningsOf({ dependencies }: TableFacts, isReplace: boolean): readonly string[] {
  const {
    materializedViews,
    triggers,
    publications,
    subscribers,
    subscriptions,
    children,
    parents,
    partitionOf,
    largeObjectColumns,
    rowSecurity,
  } = dependencies;
  const always = triggers.filter(({ fires }) => fires).map(({ name }) => name);
  const still = triggers.filter(({ fires }) => !fires).map(({ name }) => name);
  const say = (isSo: boolean, words: string) => (isSo ? [words] : []);
  const both = [
    ...say(children.length > 0, `tables that inherit from it are not part of it: ${children.join(', ')}`),
    ...say(
      largeObjectColumns.length > 0,
      `large objects that its columns may name are not brought back: ${largeObjectColumns.join(', ')}`,
    ),
  ];
  if (!isReplace) {
    return [
      ...both,
      ...say(
        parents.length > 0 || partitionOf !== undefined,
        'it comes as a table of its own, not as a part of the one that it belongs to',
      ),
      ...say(rowSecurity, 'its policies do not come with it: whoever is given rights on the new table sees every row'),
    ];
  }
  return [
    ...both,
    ...say(
      still.length > 0,
      `triggers do not fire, because rows are brought back and not written anew: ${still.join(', ')}`,
    ),
    ...say(always.length > 0, `triggers fire, because they are enabled always or for replicas: ${always.join(', ')}`),
    ...say(
      publications.length > 0,
      `it is published as deletes and inserts of all rows: ${publications.join(', ')}, ${subscribers} logical slots`,
    ),
    ...say(
      subscriptions.length > 0,
      `subscriptions write into it, and go on from the rows of today: ${subscriptions.join(', ')}`,
    ),
    ...say(materializedViews.length > 0, `refresh afterwards: ${materializedViews.join(', ')}`),
    ...say(partitionOf !== undefined, `only the rows of this partition of ${partitionOf} are replaced`),
    ...say(rowSecurity, 'the table with the present rows has no policies: only the owner may read it'),
  ];
}

/** Rows that are brought back are new to nobody but the subscriber of every table, who has no such table. */
function receiverWarnings({ publications, slots }: Receivers, isReplace: boolean): readonly string[] {
  const what = isReplace ? 'the table that keeps the present rows' : 'the table under its new name';
  const silent = `${what} is filled without being published`;
  return [
    ...(publications.length === 0
      ? []
      : [
          `${silent}, but belongs to ${publications.join(', ')} as every table does: subscriptions that are refreshed ask for it, and stop where they have no such table`,
        ]),
    ...(slots.length === 0 ? [] : [`${silent}; what reads ${slots.join(', ')} meets it when it is written to later`]),
  ];
}

/** Not the name of the kept table, which has the run in it, and not what changes by itself: sizes, slots that come and go, and the words about them. */
function withDigest(request: PartRequest, facts: Omit<PartFacts, 'digest'>): PartFacts {
  const { keptAs: _, notes: __, warnings: ___, room: ____, databaseBytes: _____, today, blockers, ...rest } = facts;
  const others = blockers?.filter(({ code }) => code !== 'NO_SPACE') ?? [];
  const { subscribers: ______, ...hangs } = today?.dependencies ?? { subscribers: 0 };
  const decided = {
    ...rest,
    ...listed(others),
    table: request.table,
    owner: today?.owner,
    columns: today?.columns,
    hangs,
  };
  return { ...facts, digest: createHash('sha256').update(JSON.stringify(decided)).digest('hex').slice(0, 16) };
}
