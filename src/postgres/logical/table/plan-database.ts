// The server that a part goes into, and what bringing back a whole database means for it; nothing is touched.

import type { ProductionRoom } from '../../../domain/part.ts';
import { type ErrorData, fail } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import { type Placing, placingOn, placingWarnings, type Spread } from '../spread.ts';
import { blocker, lacking, listed } from './part-blockers.ts';
import type { PartFacts, PartRequest } from './plan-part.ts';
import { roomOfDatabase, withExtract } from './plan-room.ts';
import { roomWarnings } from './production-room.ts';
import { type ClusterSeen, clusterOf } from './sessions.ts';

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

export interface ServerSeen extends Awaited<ReturnType<typeof databaseOf>> {
  readonly production: ClusterSeen;
  readonly mayMakeDatabases: true | string;
  readonly subscriptions: readonly string[];
  /** Of the whole database, where it is there and may be asked. */
  readonly databaseBytes?: number;
  readonly room?: ProductionRoom;
  readonly placing?: Placing;
}

/** `spreadOf`: of a database by its name; `undefined` for one that cannot be entered. */
export async function lookAtServer(
  plain: PlainConnection,
  request: PartRequest,
  spreadOf: (database: string) => Promise<Spread | undefined>,
): Promise<ServerSeen> {
  const production = await clusterOf(plain);
  const named = await databaseOf(plain, request.database);
  const server = { production, ...named, mayMakeDatabases: await mayMakeDatabases(plain) };
  if (request.table !== undefined) return { ...server, subscriptions: [] };
  const subscriptions = await subscriptionsOf(plain, named.name);
  const databaseBytes = await databaseSize(plain, named.name);
  if (databaseBytes === undefined) return { ...server, subscriptions };
  const placing = await placingOn(plain, await spreadOf(named.name));
  const size = { totalBytes: databaseBytes, placing };
  const room = await roomOfDatabase(plain, production.systemId, size, withExtract(request, size.totalBytes));
  return { ...server, subscriptions, databaseBytes, placing, room };
}

async function databaseSize(plain: PlainConnection, name: string): Promise<number | undefined> {
  const sql = `select pg_database_size(oid)::text as size from pg_database where datname = $1
    and (has_database_privilege(oid, 'connect') or pg_has_role('pg_read_all_stats', 'usage'))`;
  const [row] = await plain.query<{ size: string }>('measure the database', sql, [name]);
  return row && Number(row.size);
}

/** True, or the name of the role that may not. */
async function mayMakeDatabases(plain: PlainConnection): Promise<true | string> {
  const sql =
    'select rolcreatedb or rolsuper as may, quote_ident(rolname) as role from pg_roles where rolname = current_user';
  const [row] = await plain.query<{ may: boolean; role: string }>('ask for rights', sql);
  return row?.may === true ? true : String(row?.role);
}

async function subscriptionsOf(plain: PlainConnection, database: string): Promise<readonly string[]> {
  const sql = `select subname::text as name from pg_subscription join pg_database d on d.oid = subdbid
    where datname = $1 order by 1`;
  return (await plain.query<{ name: string }>('list its subscriptions', sql, [database])).map(({ name }) => name);
}

export function describeDatabase(
  request: PartRequest,
  base: ServerSeen & { readonly database: string; readonly blockers: readonly ErrorData[] },
): Omit<PartFacts, 'digest'> {
  const { production, database, all, subscriptions, mayMakeDatabases: mayMake, databaseBytes, placing, room } = base;
  const into = request.into ?? database;
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
  const taken = all.includes(into)
    ? [blocker('TARGET_UNFIT', `database '${into}' is there already`, 'choose another name with `--into NAME`')]
    : [];
  const left = `its subscriptions do not come with it, whose slots are in use: ${subscriptions.join(', ')}`;
  return {
    ...{ production, database, way: 'into', into },
    what: `database ${database}`,
    ...(databaseBytes === undefined ? {} : { databaseBytes }),
    ...(room && { room }),
    notes: ['loaded and counted under a passing name first, then given its own; nothing that is there is touched'],
    warnings: [
      ...(subscriptions.length === 0 ? [] : [left]),
      ...(placing ? placingWarnings(placing) : []),
      ...roomWarnings(room),
    ],
    ...listed([...base.blockers, ...role, ...taken, ...lacking(room)]),
  };
}
