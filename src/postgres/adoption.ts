// What an existing cluster lacks before it can be protected, as exact statements; run by an administrator's session, and only with consent.

import { bytesText } from '../domain/size.ts';
import { fail } from '../errors/index.ts';
import { backupFunctions } from './backup/files-at-hand.ts';
import { openPlain, type PlainConnection, quoteIdentifier } from './connection/index.ts';
import { freeForLog } from './receiver/slot-growth.ts';
import { scramVerifier } from './scram.ts';
import type { Source } from './types.ts';

export interface AdoptionStatement {
  /** As it may be shown: a password is three dots. */
  readonly shown: string;
  readonly sql: string;
  /** When it takes effect: at once, or when the server was restarted. */
  readonly effect: 'now' | 'restart';
}

export interface AdoptionOptions {
  /** A session that may change roles and settings. */
  readonly admin: Source;
  /** Of the server, where it is on this host: a limit for slots is chosen by what is free. */
  readonly dataDirectory?: string;
  readonly allowUnlimitedSlot: boolean;
  /** Incremental captures are wanted: the server must keep summaries of its log (17 and newer). */
  readonly summaries: boolean;
  /** Logical dumps are wanted: the role must read all data. */
  readonly readsData: boolean;
}

interface Facts {
  readonly version_num: number;
  readonly is_superuser: boolean;
  readonly in_recovery: boolean;
  readonly role_exists: boolean;
  readonly can_login: boolean | null;
  readonly can_replicate: boolean | null;
  readonly wal_level: string;
  readonly max_wal_senders: number;
  readonly wal_senders: number;
  readonly max_replication_slots: number;
  readonly slots: number;
  readonly max_slot_wal_keep_size: number;
  readonly full_page_writes: string;
  readonly summarize_wal: string | null;
}

interface Right {
  readonly grant: string;
  readonly held: string;
}

const factsSql = `select current_setting('server_version_num')::int as version_num,
  current_setting('is_superuser') = 'on' as is_superuser,
  pg_is_in_recovery() as in_recovery,
  exists (select from pg_roles where rolname = $1) as role_exists,
  (select rolcanlogin from pg_roles where rolname = $1) as can_login,
  (select rolreplication or rolsuper from pg_roles where rolname = $1) as can_replicate,
  current_setting('wal_level') as wal_level,
  current_setting('max_wal_senders')::int as max_wal_senders,
  (select count(*)::int from pg_stat_replication) as wal_senders,
  current_setting('max_replication_slots')::int as max_replication_slots,
  (select count(*)::int from pg_replication_slots) as slots,
  (select setting::int from pg_settings where name = 'max_slot_wal_keep_size') as max_slot_wal_keep_size,
  current_setting('full_page_writes') as full_page_writes,
  current_setting('summarize_wal', true) as summarize_wal`;

/** Beside REPLICATION: to see where the data is, to close a segment, to name a moment, to read files at hand. Nothing that writes or reads a table. */
const rights: readonly Right[] = [
  { grant: 'pg_read_all_settings', held: `pg_has_role($1, 'pg_read_all_settings', 'usage')` },
  {
    grant: 'EXECUTE ON FUNCTION pg_catalog.pg_switch_wal()',
    held: `has_function_privilege($1, 'pg_catalog.pg_switch_wal()', 'execute')`,
  },
  {
    grant: 'EXECUTE ON FUNCTION pg_catalog.pg_create_restore_point(text)',
    held: `has_function_privilege($1, 'pg_catalog.pg_create_restore_point(text)', 'execute')`,
  },
  ...backupFunctions.map((name) => ({
    grant: `EXECUTE ON FUNCTION ${name}`,
    held: `has_function_privilege($1, '${name}', 'execute')`,
  })),
];
const readsData: Right = { grant: 'pg_read_all_data', held: `pg_has_role($1, 'pg_read_all_data', 'usage')` };

const USUAL_LIMIT_BYTES = 64 * 1024 ** 3;
const MiB = 1024 ** 2;

/** What `source` lacks, looked at as the administrator; touches nothing. Throws `DATABASE_IDENTITY`, `DATABASE_PRIVILEGE`, `DATABASE_SETTING`. */
export async function planAdoption(source: Source, options: AdoptionOptions): Promise<readonly AdoptionStatement[]> {
  await requireSameServer(source, options.admin);
  return await withAdmin(options.admin, async (admin) => {
    const { username, password } = new URL(source.url);
    const role = decodeURIComponent(username);
    const [facts] = await admin.query<Facts & Record<string, unknown>>('look at roles and settings', factsSql, [role]);
    requireFit(facts!, admin);
    return [
      ...roleStatements(facts!, role, decodeURIComponent(password)),
      ...(await rightStatements(admin, facts!, role, options)),
      ...(await settingStatements(facts!, options)),
    ];
  });
}

/** Runs them one after another; each may be run again. Settings are loaded anew at the end. */
export async function adopt(statements: readonly AdoptionStatement[], admin: Source): Promise<void> {
  await withAdmin(admin, async (connection) => {
    for (const { shown, sql } of statements) await connection.query(`run ${shown}`, sql);
    await connection.query('load its settings anew', 'select pg_reload_conf()');
  });
}

async function withAdmin<T>(admin: Source, work: (connection: PlainConnection) => Promise<T>): Promise<T> {
  const connection = await openPlain(admin);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** By their addresses: before there is a role, nobody can log in with the other url to ask. */
async function requireSameServer(source: Source, admin: Source): Promise<void> {
  const placeOf = ({ url, component }: Source) => {
    try {
      const { hostname, port, pathname } = new URL(url);
      return { server: `${hostname}:${port || '5432'}`, database: pathname.slice(1) };
    } catch {
      return fail('SECRET_UNRESOLVED', `the url of '${component}' is not the url of a PostgreSQL database`);
    }
  };
  const [one, other] = [placeOf(source), placeOf(admin)];
  if (one.server !== other.server) {
    fail(
      'DATABASE_IDENTITY',
      `the administrator's url is of server ${other.server}, the database is at ${one.server}`,
      {
        hint: 'give a url of the same host and port, of a superuser',
      },
    );
  }
  // Rights to execute a function are of one database.
  if (one.database !== other.database) {
    fail(
      'DATABASE_IDENTITY',
      `the administrator's url is of database '${other.database}', the other one of '${one.database}'`,
      {
        hint: `end the administrator's url with '/${one.database}'`,
      },
    );
  }
}

function requireFit({ is_superuser, in_recovery }: Facts, { context }: PlainConnection): void {
  if (!is_superuser) {
    fail('DATABASE_PRIVILEGE', `role '${context.role}' is no superuser: it cannot change settings of the server`, {
      hint: 'give the url of a superuser, or run the statements that `holdfast setup` prints by hand',
    });
  }
  if (in_recovery) {
    fail('DATABASE_SETTING', `${context.server} is a standby: roles and rights are made on the primary`, {
      hint: 'give urls of the primary',
    });
  }
}

function roleStatements({ role_exists, can_login, can_replicate }: Facts, role: string, password: string) {
  const name = quoteIdentifier(role);
  if (!role_exists) {
    const statement = (secret: string) => `CREATE ROLE ${name} LOGIN REPLICATION PASSWORD '${secret}'`;
    return [now(statement('…'), statement(scramVerifier(password)))];
  }
  const missing = [...(can_login ? [] : ['LOGIN']), ...(can_replicate ? [] : ['REPLICATION'])];
  return missing.length === 0 ? [] : [now(`ALTER ROLE ${name} ${missing.join(' ')}`)];
}

async function rightStatements(admin: PlainConnection, facts: Facts, role: string, options: AdoptionOptions) {
  const wanted = [...rights, ...(options.readsData ? [readsData] : [])];
  const statements: AdoptionStatement[] = [];
  for (const { grant, held } of wanted) {
    const [row] = facts.role_exists
      ? await admin.query<{ held: boolean }>('look at the rights of the role', `select ${held} as held`, [role])
      : [];
    if (row?.held !== true) statements.push(now(`GRANT ${grant} TO ${quoteIdentifier(role)}`));
  }
  return statements;
}

async function settingStatements(facts: Facts, options: AdoptionOptions): Promise<AdoptionStatement[]> {
  const { wal_senders, max_wal_senders, slots, max_replication_slots } = facts;
  const statements: AdoptionStatement[] = [];
  const set = (name: string, value: string | number, effect: AdoptionStatement['effect']) => {
    const sql = `ALTER SYSTEM SET ${name} = '${value}'`;
    statements.push({ shown: sql, sql, effect });
  };
  if (facts.wal_level === 'minimal') set('wal_level', 'replica', 'restart');
  if (max_wal_senders - wal_senders < 2) set('max_wal_senders', wal_senders + 4, 'restart');
  if (max_replication_slots <= slots) set('max_replication_slots', slots + 2, 'restart');
  if (facts.full_page_writes !== 'on') set('full_page_writes', 'on', 'now');
  if (options.summaries && facts.version_num >= 170_000 && facts.summarize_wal === 'off')
    set('summarize_wal', 'on', 'now');
  if (facts.max_slot_wal_keep_size < 0 && !options.allowUnlimitedSlot) {
    const free = await freeForLog(options.dataDirectory);
    const limit = Math.min(USUAL_LIMIT_BYTES, Math.floor((free ?? Number.POSITIVE_INFINITY) / 2));
    if (limit < 64 * MiB) {
      fail('NO_SPACE', `only ${bytesText(free ?? 0)} are free for the log of the server`, { hint: 'make room first' });
    }
    // A number without a unit is in the setting's own, which is 2^20 bytes.
    set('max_slot_wal_keep_size', Math.floor(limit / MiB), 'now');
  }
  return statements;
}

function now(shown: string, sql = shown): AdoptionStatement {
  return { shown, sql, effect: 'now' };
}
