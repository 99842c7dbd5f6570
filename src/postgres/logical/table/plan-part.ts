// What bringing back a part of a cluster means for production as it is today: what it is called, what hangs on it, and what is in the way; nothing is touched.

import { createHash } from 'node:crypto';
import { closest } from '../../../domain/closest.ts';
import { isRunName } from '../../../domain/ids.ts';
import type { PartPlan, PartWay, TableName } from '../../../domain/part.ts';
import { type ErrorCode, type ErrorData, fail, HoldfastError, toHoldfastError } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { Source } from '../../types.ts';
import { inDatabase } from '../client-environment.ts';
import { holderHint, isLockTimeout } from './lock-timeout.ts';
import { needsReplica } from './replace-rows.ts';
import { clusterOf, comparing } from './sessions.ts';
import { requireRows } from './set-apart.ts';
import { lookAtTable, type TableFacts, tablesLike } from './table-facts.ts';
import { keptTable, plainName } from './table-names.ts';

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
}

export type PartFacts = Omit<PartPlan, 'run' | 'component' | 'host' | 'recovery'>;

/** Of the cluster that answers. Throws `USAGE` where several databases leave open which is meant, `NOT_FOUND` for one that is not there. */
async function databaseOf(
  plain: PlainConnection,
  wanted: string | undefined,
): Promise<{ name: string; all: readonly string[] }> {
  const sql = 'select datname::text as name from pg_database where datallowconn and not datistemplate order by 1';
  const all = (await plain.query<{ name: string }>('list its databases', sql)).map(({ name }) => name);
  const hint = `databases: ${all.join(', ')}`;
  const [only, second] = all;
  if (wanted === undefined) {
    if (only !== undefined && second === undefined) return { name: only, all };
    fail('USAGE', "the cluster has several databases: name one with '--database'", { hint });
  }
  return { name: wanted, all };
}

/** Throws the `DATABASE_…` errors of connecting, `USAGE`, `NOT_FOUND`; what is in the way of the rest is among the blockers. */
export async function lookAtPart(target: Source, request: PartRequest, recoveredSystemId: string): Promise<PartFacts> {
  const server = await comparing(target, async (plain) => ({
    production: await clusterOf(plain),
    mayMakeDatabases: await mayMakeDatabases(plain),
    ...(await databaseOf(plain, request.database)),
  }));
  const { production, name: database, all, mayMakeDatabases: mayMake } = server;
  const blockers: ErrorData[] = [];
  if (production.systemId !== recoveredSystemId) {
    const message = `the server that it would go into is cluster ${production.systemId}, the vault has ${recoveredSystemId}`;
    blockers.push(new HoldfastError('DATABASE_IDENTITY', message).toJSON());
  }
  if (request.way === 'into' || request.table === undefined) {
    const role =
      mayMake === true
        ? []
        : [
            blocker(
              'DATABASE_PRIVILEGE',
              `the role ${mayMake} may not make databases`,
              `run: ALTER ROLE ${mayMake} CREATEDB;`,
            ),
          ];
    return withDigest(
      request,
      lookAtDatabase(request, { production, database, all, blockers: [...blockers, ...role] }),
    );
  }
  if (!all.includes(database))
    fail('NOT_FOUND', `there is no database '${database}' today`, { hint: `databases: ${all.join(', ')}` });
  const { table } = request;
  const held = (error: unknown): never => {
    if (!isLockTimeout(error)) throw error;
    return fail('LOCKED', `'${plainName(table)}' is held by somebody: it could not be looked at`, {
      hint: holderHint(table),
      cause: error,
    });
  };
  const facts = await comparing(inDatabase(target, database), async (plain) => {
    const today = await lookAtTable(plain, table);
    for (const blocker of await blockersOf(plain, request, table, today)) blockers.push(blocker);
    return today;
  }).catch(held);
  return withDigest(request, describeTable(request, { production, database, table, blockers, today: facts }));
}

/** True, or the name of the role that may not. */
async function mayMakeDatabases(plain: PlainConnection): Promise<true | string> {
  const sql =
    'select rolcreatedb or rolsuper as may, quote_ident(rolname) as role from pg_roles where rolname = current_user';
  const [row] = await plain.query<{ may: boolean; role: string }>('ask for rights', sql);
  return row?.may === true ? true : String(row?.role);
}

type Base = Pick<PartFacts, 'production' | 'database'> & { readonly blockers: readonly ErrorData[] };

function lookAtDatabase(
  request: PartRequest,
  base: Base & { readonly all: readonly string[] },
): Omit<PartFacts, 'digest'> {
  const { production, database, all, blockers } = base;
  const into = request.into ?? database;
  const taken = all.includes(into)
    ? [blocker('TARGET_UNFIT', `database '${into}' is there already`, 'choose another name with `--into NAME`')]
    : [];
  return {
    ...{ production, database, way: 'into', into },
    what: `database ${database}`,
    notes: ['loaded and counted under a passing name first, then given its own; nothing that is there is touched'],
    warnings: [],
    ...listed([...blockers, ...taken]),
  };
}

function describeTable(
  request: PartRequest,
  base: Base & { readonly table: TableName; readonly today: TableFacts | undefined },
): Omit<PartFacts, 'digest'> {
  const { production, database, table, today, blockers } = base;
  const isReplace = request.way === 'replace';
  const into = isReplace ? table : (request.as ?? table);
  return {
    ...{ production, database, way: request.way, into: plainName(into) },
    what: `table ${plainName(table)}`,
    ...(isReplace ? { keptAs: keptName(table, request.run) } : {}),
    ...(today === undefined ? {} : { today: todayOf(today) }),
    notes: isReplace ? replaceNotes : asNotes,
    warnings: today === undefined ? [] : warningsOf(today, isReplace),
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

function blocker(code: ErrorCode, message: string, hint: string): ErrorData {
  return new HoldfastError(code, message, { hint }).toJSON();
}

interface Rights extends Record<string, unknown> {
  readonly role: string;
  readonly database: string;
  readonly isSuper: boolean;
  readonly seesAll: boolean;
  readonly mayMakeSchemas: boolean;
  readonly hasSchema: boolean;
  readonly mayMakeTables: boolean;
  readonly owns: boolean;
  readonly mayReplicate: boolean;
}

const rightsSql = `select quote_ident(current_user) as role, quote_ident(current_database()) as database, rolsuper as "isSuper",
  rolsuper or rolbypassrls as "seesAll", has_database_privilege(current_database(), 'create') as "mayMakeSchemas",
  exists (select from pg_namespace where nspname = $1) as "hasSchema",
  coalesce((select has_schema_privilege(oid, 'create') from pg_namespace where nspname = $1), false) as "mayMakeTables",
  coalesce((select pg_has_role(oid, 'usage') from pg_roles where rolname = $2), false) as owns,
  has_parameter_privilege('session_replication_role', 'set') as "mayReplicate" from pg_roles where rolname = current_user`;

async function blockersOf(
  plain: PlainConnection,
  request: PartRequest,
  table: TableName,
  today: TableFacts | undefined,
): Promise<readonly ErrorData[]> {
  if (request.way === 'as') {
    const unlogged = today?.isUnlogged === true ? unfitFor(today, table) : undefined;
    return [...(unlogged ? [unlogged] : []), ...(await blockersOfName(plain, request.as ?? table))];
  }
  const rights = await rightsIn(plain, table, today?.owner ?? '');
  return [...(await blockersOfReplace(plain, table, today, rights)), ...rightsLacking(table, rights)];
}

async function rightsIn(plain: PlainConnection, { schema }: TableName, owner: string): Promise<Rights> {
  const [rights] = await plain.query<Rights>('ask for rights', rightsSql, [schema, owner]);
  return rights as Rights;
}

function rightsLacking(
  { schema }: TableName,
  { role, database, mayMakeSchemas, hasSchema, mayMakeTables }: Rights,
): ErrorData[] {
  const grant = (statement: string) =>
    blocker('DATABASE_PRIVILEGE', `the role ${role} may not load into ${database}`, `run: ${statement}`);
  if (!hasSchema)
    return [
      blocker('TARGET_UNFIT', `there is no schema '${schema}' in ${database}`, `make it: CREATE SCHEMA "${schema}"`),
    ];
  return [
    ...(mayMakeSchemas ? [] : [grant(`GRANT CREATE ON DATABASE ${database} TO ${role};`)]),
    ...(mayMakeTables ? [] : [grant(`GRANT CREATE, USAGE ON SCHEMA "${schema}" TO ${role};`)]),
  ];
}

/** Whether a table may go under this name: it is free, its schema is there, the role may make it. */
export async function blockersOfName(plain: PlainConnection, into: TableName): Promise<ErrorData[]> {
  const rights = await rightsIn(plain, into, '');
  if ((await lookAtTable(plain, into)) === undefined) return rightsLacking(into, rights);
  const taken = blocker(
    'TARGET_UNFIT',
    `'${plainName(into)}' is there already`,
    'choose another name with `--as NAME`',
  );
  return [taken, ...rightsLacking(into, rights)];
}

async function blockersOfReplace(
  plain: PlainConnection,
  table: TableName,
  today: TableFacts | undefined,
  { role, owns, isSuper, seesAll, mayReplicate }: Rights,
): Promise<ErrorData[]> {
  const name = plainName(table);
  if (today === undefined) {
    const near = closest(name, await tablesLike(plain, table));
    const meant = near === undefined ? '' : `did you mean '${near}'? `;
    return [
      blocker(
        'NOT_FOUND',
        `there is no table '${name}' today whose rows could be replaced`,
        `${meant}\`--as NAME\` loads it as it was`,
      ),
    ];
  }
  const unfit = unfitFor(today, table);
  if (unfit !== undefined) return [unfit];
  const blockers: ErrorData[] = [];
  if (!isSuper && !owns) {
    blockers.push(
      blocker(
        'DATABASE_PRIVILEGE',
        `the role ${role} does not own '${name}'`,
        `run: GRANT "${today.owner}" TO ${role};`,
      ),
    );
  }
  if (!isSuper && !mayReplicate && needsReplica(today)) {
    const statement = `GRANT SET ON PARAMETER session_replication_role TO ${role};`;
    blockers.push(
      blocker(
        'DATABASE_PRIVILEGE',
        `'${name}' has triggers, rules or foreign keys, which ${role} may not keep still`,
        `run: ${statement}`,
      ),
    );
  }
  const { references, referencedBy } = today.dependencies;
  for (const other of await unreadable(plain, [...references, ...referencedBy])) {
    const message = `the role ${role} may not read ${other}, which a foreign key ties to '${name}'`;
    blockers.push(blocker('DATABASE_PRIVILEGE', message, `run: GRANT SELECT ON ${other} TO ${role};`));
  }
  if (today.isForced && !seesAll) {
    blockers.push(
      blocker('DATABASE_PRIVILEGE', `row-level security is forced on '${name}'`, `run: ALTER ROLE ${role} BYPASSRLS;`),
    );
  }
  if (today.publishesDeletes && !today.hasReplicaIdentity) {
    const statement = `ALTER TABLE ${name} REPLICA IDENTITY FULL;`;
    blockers.push(
      blocker('TARGET_UNFIT', `'${name}' publishes deletes and has no replica identity`, `give it one: ${statement}`),
    );
  }
  return blockers;
}

/** Of tables whose foreign keys are asked for at the end. */
async function unreadable(plain: PlainConnection, tables: readonly string[]): Promise<readonly string[]> {
  const sql = `select oid::regclass::text as name from pg_class where relkind in ('r', 'p') and oid::regclass::text = any($1::text[])
    and not has_table_privilege(oid, 'select') order by 1`;
  return (await plain.query<{ name: string }>('ask for rights', sql, [tables])).map(({ name }) => name);
}

/** What can be told of today's table tells of what a recovery would find, too. */
function unfitFor(today: TableFacts, table: TableName): ErrorData | undefined {
  try {
    requireRows(today, table);
    return undefined;
  } catch (error) {
    return toHoldfastError(error).toJSON();
  }
}

function listed(blockers: readonly ErrorData[]): Pick<PartFacts, 'blockers'> {
  return blockers.length === 0 ? {} : { blockers };
}

/** Not the name of the kept table, which has the run in it, and not what changes by itself: sizes, slots that come and go, and the words about them. */
function withDigest(request: PartRequest, facts: Omit<PartFacts, 'digest'>): PartFacts {
  const { keptAs: _, notes: __, warnings: ___, today, ...rest } = facts;
  const { subscribers: ____, ...hangs } = today?.dependencies ?? { subscribers: 0 };
  const decided = { ...rest, table: request.table, owner: today?.owner, columns: today?.columns, hangs };
  return { ...facts, digest: createHash('sha256').update(JSON.stringify(decided)).digest('hex').slice(0, 16) };
}
