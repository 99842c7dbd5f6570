// The databases of a cluster: which are dumped, which are left out and why, and what a restore must know to make each again.

import { fail } from '../../errors/index.ts';
import { withPlain } from '../connection/index.ts';
import type { Source } from '../types.ts';
import type { DatabaseLocale, DumpedDatabase } from './types.ts';

/** What is known of a database before it is dumped. */
export interface ListedDatabase
  extends Pick<
    DumpedDatabase,
    | 'name'
    | 'owner'
    | 'encoding'
    | 'locale'
    | 'settings'
    | 'roleSettings'
    | 'rights'
    | 'connectionLimit'
    | 'serverBytes'
  > {
  readonly oid: number;
}

export interface DatabaseChoice {
  /** Names, in which `*` stands for anything; empty: all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface ChosenDatabases {
  readonly chosen: readonly ListedDatabase[];
  readonly leftOut: readonly string[];
}

/** `datlocprovider` came with 15, `daticurules` with 16, `datlocale` for both providers with 17. */
const localeSql = (major: number) =>
  `datlocprovider as provider, ${major >= 17 ? 'datlocale' : 'daticulocale'} as locale,
   ${major >= 16 ? 'daticurules' : 'null'} as icu_rules`;

/** Grantee 0 is PUBLIC; no list at all means what every new database has. */
const rightsSql = `(select json_agg(json_strip_nulls(json_build_object('role', case when grantee <> 0 then pg_get_userbyid(grantee) end,
    'privilege', privilege_type, 'grantable', is_grantable)) order by grantee::regrole::text, privilege_type) from aclexplode(datacl))`;

const roleSettingsSql = `(select json_agg(json_build_object('role', pg_get_userbyid(setrole), 'settings', setconfig) order by setrole)
    from pg_db_role_setting where setdatabase = d.oid and setrole <> 0)`;

const listSql = (major: number) => `select d.oid::int8::text as oid, datname as name, datallowconn as allows,
  pg_get_userbyid(datdba) as owner, pg_encoding_to_char(encoding) as encoding, datcollate as collate, datctype as ctype,
  ${localeSql(major)}, datconnlimit as connection_limit,
  coalesce((select setconfig from pg_db_role_setting where setdatabase = d.oid and setrole = 0), '{}') as settings,
  case when datacl is null then null else coalesce(${rightsSql}, '[]') end as rights, ${roleSettingsSql} as role_settings,
  case when has_database_privilege(d.oid, 'connect') then pg_database_size(d.oid) else 0 end::text as size
  from pg_database d where not datistemplate order by datname`;

/**
 * Templates are never dumped. Throws `NOT_FOUND` when a name of `include` without `*` is no database's, and when nothing is left: a dump
 * of nothing would look like a backup.
 */
export async function chooseDatabases(source: Source, major: number, choice: DatabaseChoice): Promise<ChosenDatabases> {
  const rows = await withPlain(source, (plain) => plain.query('list its databases', listSql(major)));
  const isWanted = ({ name, allows }: { name: string; allows: boolean }) =>
    allows &&
    (choice.include.length === 0 || choice.include.some((pattern) => fits(pattern, name))) &&
    !choice.exclude.some((pattern) => fits(pattern, name));
  const all = rows as unknown as Row[];
  const hint = `databases: ${all.map(({ name }) => name).join(', ')}`;
  const strange = choice.include.find((pattern) => !all.some(({ name }) => fits(pattern, name)));
  if (strange !== undefined && !strange.includes('*')) {
    fail('NOT_FOUND', `there is no database '${strange}', which 'logical.include' names`, { hint });
  }
  const chosen = all.filter(isWanted).map(listed);
  if (chosen.length === 0) {
    fail('NOT_FOUND', "no database is left to dump by 'logical.include' and 'logical.exclude'", { hint });
  }
  return { chosen, leftOut: all.filter((row) => !isWanted(row)).map(({ name }) => name) };
}

interface Row extends Omit<DatabaseLocale, 'locale' | 'icuRules'> {
  readonly oid: string;
  readonly name: string;
  readonly allows: boolean;
  readonly owner: string;
  readonly encoding: string;
  readonly locale: string | null;
  readonly icu_rules: string | null;
  readonly connection_limit: number;
  readonly settings: readonly string[];
  readonly rights: ListedDatabase['rights'] | null;
  readonly role_settings: ListedDatabase['roleSettings'] | null;
  readonly size: string;
}

function listed(row: Row): ListedDatabase {
  const { oid, name, owner, encoding, settings, provider, collate, ctype, locale, icu_rules: icuRules } = row;
  const more = { ...(locale === null ? {} : { locale }), ...(icuRules === null ? {} : { icuRules }) };
  return {
    oid: Number(oid),
    ...{ name, owner, encoding, settings },
    ...(row.rights && { rights: row.rights }),
    ...(row.role_settings && { roleSettings: row.role_settings }),
    locale: { provider, collate, ctype, ...more },
    connectionLimit: row.connection_limit,
    serverBytes: Number(row.size),
  };
}

/** `*` stands for any characters, also none. */
export function fits(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
}
