// The database that a dump goes into: whether it is there, what it has already, and how one is made, given its name, and dropped.

import pg from 'pg';
import { fail } from '../../../errors/index.ts';
import { type PlainConnection, withPlain } from '../../connection/index.ts';
import type { Source } from '../../types.ts';
import { inDatabase } from '../client-environment.ts';
import type { Placing } from '../spread.ts';
import type { DumpedDatabase } from '../types.ts';
import { passingName } from './request.ts';
import type { Wanted } from './select-entries.ts';

export interface TargetServer {
  readonly major: number;
  readonly databases: readonly string[];
  readonly extensions: readonly string[];
}

export async function lookAtServer(target: Source): Promise<TargetServer> {
  const sql = `select current_setting('server_version_num')::int / 10000 as major,
    pg_is_in_recovery() as standby,
    (select array_agg(datname::text) from pg_database) as databases,
    (select coalesce(array_agg(name::text), '{}') from pg_available_extensions) as extensions`;
  const [row] = await withPlain(target, (plain) => plain.query('ask who it is', sql));
  const { standby, ...server } = row as unknown as TargetServer & { standby: boolean };
  if (standby)
    fail('TARGET_UNFIT', 'the server is a standby: nothing can be loaded into it', { hint: 'ask the primary' });
  return server;
}

/** In words, what a database that is there has of what is wanted; `undefined`: nothing. */
export async function inTheWay(target: Source, database: string, wanted: Wanted): Promise<string | undefined> {
  if (wanted.type === 'database') return `database '${database}'`;
  const { schema } = wanted;
  const name = wanted.type === 'table' ? wanted.table : undefined;
  const sql = `select relname as name from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname = $1 and ($2::text is null or relname = $2) limit 1`;
  const ask = (plain: PlainConnection) => plain.query<{ name: string }>('look for what is there', sql, [schema, name]);
  const [row] = await withPlain(inDatabase(target, database), ask);
  return row && `'${schema}.${row.name}' in database '${database}'`;
}

export async function schemasOf(target: Source, database: string): Promise<readonly string[]> {
  const sql = 'select nspname as name from pg_namespace';
  const rows = await withPlain(inDatabase(target, database), (plain) =>
    plain.query<{ name: string }>('list schemas', sql),
  );
  return rows.map(({ name }) => name);
}

/** Under a name of the run's own, so that a half-loaded database is never taken for a whole one. What an earlier attempt left is dropped. */
export async function makeDatabase(
  target: Source,
  name: string,
  from: DumpedDatabase,
  { major, placing }: { readonly major: number; readonly placing: Placing },
): Promise<void> {
  await dropDatabase(target, name);
  await withPlain(target, async (plain) => {
    await plain.query(
      'make a database',
      `create database ${pg.escapeIdentifier(name)} ${optionsOf(from, major)}${spaceOf(placing)}`,
    );
  });
}

/** Where it would go anyway asks for no right. */
function spaceOf({ own, ofNew }: Placing): string {
  return own === ofNew ? '' : ` tablespace ${pg.escapeIdentifier(own)}`;
}

/** One of a passing name, whatever was loaded into it. */
export async function dropDatabase(target: Source, name: string): Promise<void> {
  await forgetSubscriptions(target, name);
  await withPlain(target, async (plain) => {
    const quoted = pg.escapeIdentifier(name);
    await plain.query('drop what an attempt left', `drop database if exists ${quoted} with (force)`);
  });
}

/**
 * A database with a subscription cannot be dropped, and whoever drops the subscription drops the slot at the publisher, which may be that of another
 * one: it is made to name none first (PostgreSQL manual, `DROP SUBSCRIPTION`). No load brings one; this is for whatever made it all the same.
 */
async function forgetSubscriptions(target: Source, database: string): Promise<void> {
  const sql = `select subname::text as name from pg_subscription
    where subdbid = (select oid from pg_database where datname = $1)`;
  const found = await withPlain(target, (plain) => plain.query<{ name: string }>('look at it', sql, [database]));
  if (found.length === 0) return;
  await withPlain(inDatabase(target, database), async (plain) => {
    for (const { name } of found) {
      const subscription = pg.escapeIdentifier(name);
      await plain.query('disable a subscription', `alter subscription ${subscription} disable`);
      await plain.query('take its slot from it', `alter subscription ${subscription} set (slot_name = none)`);
      await plain.query('drop a subscription', `drop subscription ${subscription}`);
    }
  });
}

/** Done again after it was done it changes nothing, also by an attempt that was given up and ends meanwhile. Throws as `isNamed` does. */
export async function nameDatabase(
  target: Source,
  plan: { readonly run: string; readonly into: string },
  from: DumpedDatabase,
): Promise<void> {
  if (await isNamed(target, plan)) return;
  try {
    await giveDatabaseName(target, plan, from);
  } catch (error) {
    if (!(await isNamed(target, plan))) throw error;
  }
}

/** The last step: settings, the run's mark, owner and rights first, then the name, so that nobody is let in who was not before. */
async function giveDatabaseName(
  target: Source,
  { run, into }: { readonly run: string; readonly into: string },
  from: DumpedDatabase,
): Promise<void> {
  await withPlain(target, async (plain) => {
    const quoted = pg.escapeIdentifier(passingName(run));
    for (const setting of from.settings)
      await plain.query('set', `alter database ${quoted} set ${assignment(setting)}`);
    for (const { role, settings } of from.roleSettings ?? []) {
      const whose = `alter role ${pg.escapeIdentifier(role)} in database ${quoted}`;
      for (const setting of settings) await plain.query('set', `${whose} set ${assignment(setting)}`);
    }
    await plain.query('limit', `alter database ${quoted} connection limit ${from.connectionLimit}`);
    await plain.query('mark', `comment on database ${quoted} is ${pg.escapeLiteral(markOf(run))}`);
    await plain.query('give', `alter database ${quoted} owner to ${pg.escapeIdentifier(from.owner)}`);
    for (const statement of rightsOf(quoted, from)) await plain.query('grant', statement);
    await plain.query('name the database', `alter database ${quoted} rename to ${pg.escapeIdentifier(into)}`);
  });
}

/** In place of what a new database lets everybody do. */
function rightsOf(quoted: string, { owner, rights }: DumpedDatabase): readonly string[] {
  if (rights === undefined) return [];
  const grants = rights.map(({ role, privilege, grantable }) => {
    const whom = role === undefined ? 'public' : pg.escapeIdentifier(role);
    return `grant ${privilege} on database ${quoted} to ${whom}${grantable ? ' with grant option' : ''}`;
  });
  return [`revoke all on database ${quoted} from public, ${pg.escapeIdentifier(owner)}`, ...grants];
}

export async function isMadeBy(target: Source, database: string, run: string): Promise<boolean> {
  const sql = `select shobj_description(oid, 'pg_database') = $2 as own from pg_database where datname = $1`;
  const [row] = await withPlain(target, (plain) =>
    plain.query<{ own: boolean }>('look at its mark', sql, [database, markOf(run)]),
  );
  return row?.own === true;
}

/** An attempt that was killed after the last step has left its mark on the database. Throws `TARGET_UNFIT` for one that is somebody else's. */
export async function isNamed(target: Source, plan: { readonly run: string; readonly into: string }): Promise<boolean> {
  const { databases } = await lookAtServer(target);
  if (!databases.includes(plan.into)) return false;
  if (await isMadeBy(target, plan.into, plan.run)) return true;
  return fail('TARGET_UNFIT', `a database '${plan.into}' was made meanwhile`, {
    hint: 'choose another name with `--into NAME`',
  });
}

function markOf(run: string): string {
  return `loaded by holdfast ${run}`;
}

/** Of `CREATE DATABASE`, from template0, which alone lets them differ from the cluster's. */
function optionsOf({ encoding, locale }: DumpedDatabase, major: number): string {
  const { provider, collate, ctype, locale: own, icuRules } = locale;
  const text = pg.escapeLiteral;
  const options = [
    'template template0',
    `encoding ${text(encoding)}`,
    `lc_collate ${text(collate)}`,
    `lc_ctype ${text(ctype)}`,
  ];
  const names = { c: 'libc', i: 'icu', b: 'builtin' } as const;
  options.push(`locale_provider ${names[provider]}`);
  if (own !== undefined && provider !== 'c')
    options.push(`${provider === 'i' ? 'icu_locale' : 'builtin_locale'} ${text(own)}`);
  if (icuRules !== undefined && major >= 16) options.push(`icu_rules ${text(icuRules)}`);
  return options.join(' ');
}

/** Settings whose value is a list of names, each quoted in the catalogue by itself (PostgreSQL, GUC_LIST_QUOTE). */
const lists = new Set([
  ...['local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries'],
  ...['temp_tablespaces', 'unix_socket_directories'],
]);

function assignment(setting: string): string {
  const at = setting.indexOf('=');
  const name = setting.slice(0, at);
  const value = setting.slice(at + 1);
  // A dotted name is an extension's own setting.
  const quoted = name
    .split('.')
    .map((part) => pg.escapeIdentifier(part))
    .join('.');
  return `${quoted} to ${lists.has(name) ? value : pg.escapeLiteral(value)}`;
}
