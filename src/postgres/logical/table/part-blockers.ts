// What is in the way of bringing a table back: names that are taken, rights that are missing, with the statement that gives each, and tables that have no rows to give.

import pg from 'pg';
import { closest } from '../../../domain/closest.ts';
import type { ProductionRoom, TableName } from '../../../domain/part.ts';
import { type ErrorCode, type ErrorData, HoldfastError, toHoldfastError } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { PartFacts, PartRequest } from './plan-part.ts';
import { lackOfRoom, sharesOf } from './production-room.ts';
import { needsReplica } from './replace-rows.ts';
import { requireRows } from './set-apart.ts';
import { lookAtTable, type TableFacts, tablesLike } from './table-facts.ts';
import { plainName } from './table-names.ts';

/** What is in the way, as a plan tells it. */
export function blocker(code: ErrorCode, message: string, hint: string): ErrorData {
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
  readonly ownerIsSuper: boolean;
  readonly mayReplicate: boolean;
}

const rightsSql = `select quote_ident(current_user) as role, quote_ident(current_database()) as database, rolsuper as "isSuper",
  rolsuper or rolbypassrls as "seesAll", has_database_privilege(current_database(), 'create') as "mayMakeSchemas",
  exists (select from pg_namespace where nspname = $1) as "hasSchema",
  coalesce((select has_schema_privilege(oid, 'create') from pg_namespace where nspname = $1), false) as "mayMakeTables",
  coalesce((select pg_has_role(oid, 'usage') from pg_roles where rolname = $2), false) as owns,
  coalesce((select rolsuper from pg_roles where rolname = $2), false) as "ownerIsSuper",
  has_parameter_privilege('session_replication_role', 'set') as "mayReplicate" from pg_roles where rolname = current_user`;

export async function blockersOf(
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
  { role, owns, ownerIsSuper, isSuper, seesAll, mayReplicate }: Rights,
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
    const owner = pg.escapeIdentifier(today.owner);
    const afterwards = ownerIsSuper ? `; that is a superuser, so afterwards run: REVOKE ${owner} FROM ${role};` : ';';
    const hint = `run: GRANT ${owner} TO ${role}${afterwards}`;
    blockers.push(blocker('DATABASE_PRIVILEGE', `the role ${role} does not own '${name}'`, hint));
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
  for (const space of await shutSpaces(plain, today)) {
    const message = `the role ${role} may not make a table in tablespace ${space}, where '${name}' is and its present rows are kept`;
    blockers.push(blocker('DATABASE_PRIVILEGE', message, `run: GRANT CREATE ON TABLESPACE ${space} TO ${role};`));
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

/** The database's own is open to whoever may make tables. */
async function shutSpaces(plain: PlainConnection, { tree }: TableFacts): Promise<readonly string[]> {
  const [most] = await sharesOf(plain, tree);
  const sql = `select quote_ident(spcname) as name from pg_tablespace t where spcname = $1 and not has_tablespace_privilege(oid, 'create')
    and oid <> (select dattablespace from pg_database where datname = current_database())`;
  const rows = await plain.query<{ name: string }>('ask for rights', sql, [most?.space ?? '']);
  return rows.map(({ name }) => name);
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

export function lacking(room: ProductionRoom | undefined): readonly ErrorData[] {
  return room === undefined ? [] : lackOfRoom(room).map((error) => error.toJSON());
}

export function listed(blockers: readonly ErrorData[]): Pick<PartFacts, 'blockers'> {
  return blockers.length === 0 ? {} : { blockers };
}
