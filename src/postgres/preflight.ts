// Named questions to a source before it is trusted to be protected, each with the exact statement or line that mends it.

import { bytesText } from '../domain/size.ts';
import { isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { BecomesStream } from './backup/becomes-stream.ts';
import { findFilesAtHand } from './backup/files-at-hand.ts';
import { alterRole, openPlain, openReplication, type PlainConnection, quoteIdentifier } from './connection/index.ts';
import { identifySystem } from './identity.ts';
import { findTools } from './tools.ts';
import type { NamedCheck, Source } from './types.ts';

export interface PreflightOptions {
  /** The slot of this component: one that exists already needs no free place. */
  readonly slot?: string;
  /** Accepts a server that keeps log for a slot without limit; default false. */
  readonly allowUnlimitedSlot?: boolean;
  /**
   * Whether commits are to wait for the copies: `now`, or `soon`, when the worker runs (a server that is told so before waits for ever). Default no.
   */
  readonly synchronous?: 'now' | 'soon';
  /** Whether incremental backups are to be taken; default no. */
  readonly incremental?: boolean;
  /** Whether full backups are to read the server's files where they are at hand; default no. */
  readonly files?: boolean;
  readonly cacheDirectory?: string;
}

const OLDEST_MAJOR = 15;
const NEWEST_MAJOR = 18;

interface Facts {
  readonly version_num: number;
  readonly role: string;
  readonly has_replication: boolean;
  readonly is_superuser: boolean;
  readonly in_recovery: boolean;
  readonly wal_level: string;
  readonly max_wal_senders: number;
  readonly wal_senders: number;
  readonly max_replication_slots: number;
  readonly slots: number;
  readonly slot_exists: boolean;
  readonly max_slot_wal_keep_size: number;
  readonly full_page_writes: string;
  readonly fsync: string;
  readonly data_checksums: string;
  readonly archive_mode: string;
  readonly archive_command: string | null;
  readonly sees_settings: boolean;
  readonly synchronous_standby_names: string;
  readonly synchronous_commit: string;
  readonly summarize_wal: string | null;
  readonly sync_state: string | null;
}

const factsSql = `select current_setting('server_version_num')::int as version_num,
  current_user::text as role,
  (select rolreplication or rolsuper from pg_roles where rolname = current_user) as has_replication,
  (select rolsuper from pg_roles where rolname = current_user) as is_superuser,
  pg_is_in_recovery() as in_recovery,
  current_setting('wal_level') as wal_level,
  current_setting('max_wal_senders')::int as max_wal_senders,
  (select count(*)::int from pg_stat_replication) as wal_senders,
  current_setting('max_replication_slots')::int as max_replication_slots,
  (select count(*)::int from pg_replication_slots) as slots,
  exists (select from pg_replication_slots where slot_name = $1) as slot_exists,
  (select setting::int from pg_settings where name = 'max_slot_wal_keep_size') as max_slot_wal_keep_size,
  current_setting('full_page_writes') as full_page_writes,
  current_setting('fsync') as fsync,
  current_setting('data_checksums') as data_checksums,
  current_setting('archive_mode') as archive_mode,
  (select setting from pg_settings where name = 'archive_command') as archive_command,
  pg_has_role(current_user, 'pg_read_all_settings', 'usage') as sees_settings,
  current_setting('synchronous_standby_names') as synchronous_standby_names,
  current_setting('synchronous_commit') as synchronous_commit,
  current_setting('summarize_wal', true) as summarize_wal,
  (select sync_state from pg_stat_replication join pg_replication_slots on active_pid = pid
    where slot_name = $1) as sync_state`;

/** Never throws: what cannot be asked is a check that failed. Later checks are left out when the server cannot be asked at all. */
export async function preflight(source: Source, options: PreflightOptions = {}): Promise<readonly NamedCheck[]> {
  let plain: PlainConnection;
  try {
    plain = await openPlain(source);
  } catch (error) {
    return [failed('reachable', error)];
  }
  try {
    const [facts] = await plain.query<Facts & Record<string, unknown>>('read its settings', factsSql, [
      options.slot ?? '',
    ]);
    const reachable = good('reachable', `${plain.context.server} answers to role '${plain.context.role}'`);
    return [reachable, ...(await checkAll(source, facts!, options))];
  } catch (error) {
    return [failed('reachable', error)];
  } finally {
    await plain.close();
  }
}

async function checkAll(source: Source, facts: Facts, options: PreflightOptions): Promise<NamedCheck[]> {
  return [
    version(facts),
    await tools(facts, options),
    replicationRole(facts),
    await replicationConnection(source),
    walLevel(facts),
    walSenders(facts),
    slots(facts),
    slotLimit(facts, options),
    fullPageWrites(facts),
    fsync(facts),
    checksums(facts),
    archiving(facts),
    settingsVisible(facts),
    synchronous(facts, options),
    ...(options.incremental === true ? [logSummaries(facts)] : []),
    ...(options.files === true ? [await baseBackups(source)] : []),
  ];
}

function version({ version_num }: Facts): NamedCheck {
  const major = Math.floor(version_num / 10_000);
  const message = `PostgreSQL ${major}.${version_num % 10_000}`;
  if (major >= OLDEST_MAJOR && major <= NEWEST_MAJOR) return good('version', message);
  return bad('version', message, `Holdfast protects PostgreSQL ${OLDEST_MAJOR} to ${NEWEST_MAJOR}`);
}

async function tools({ version_num }: Facts, { cacheDirectory }: PreflightOptions): Promise<NamedCheck> {
  try {
    const found = await findTools(
      Math.floor(version_num / 10_000),
      cacheDirectory === undefined ? {} : { cacheDirectory },
    );
    return good('tools', `programs ${found.version} in '${found.binDirectory}'`);
  } catch (error) {
    return failed('tools', error);
  }
}

function replicationRole({ role, has_replication, is_superuser }: Facts): NamedCheck {
  if (is_superuser) {
    const hint = 'a role of its own with REPLICATION and a few rights is enough: docs/adoption.md';
    return { ...good('role', `role '${role}' is a superuser, which is more than a backup needs`), hint };
  }
  if (has_replication) return good('role', `role '${role}' may replicate`);
  const check = bad('role', `role '${role}' lacks the attribute REPLICATION`, `run: ${alterRole(role)}`);
  return { ...check, code: 'DATABASE_PRIVILEGE' };
}

async function replicationConnection(source: Source): Promise<NamedCheck> {
  try {
    const connection = await openReplication(source);
    connection.close();
    return good('replication connection', 'pg_hba.conf lets it in');
  } catch (error) {
    return failed('replication connection', error);
  }
}

function walLevel({ wal_level }: Facts): NamedCheck {
  if (wal_level !== 'minimal') return good('wal_level', wal_level);
  return bad('wal_level', "'minimal' cannot be recovered from", setting('wal_level', "'replica'", 'restart'));
}

function walSenders({ max_wal_senders, wal_senders }: Facts): NamedCheck {
  const message = `${wal_senders} of ${max_wal_senders} in use`;
  // One for the log, and one for a base backup beside it.
  if (max_wal_senders - wal_senders >= 2) return good('max_wal_senders', message);
  return bad('max_wal_senders', `${message}, 2 must be free`, setting('max_wal_senders', wal_senders + 4, 'restart'));
}

function slots({ max_replication_slots, slots: used, slot_exists }: Facts): NamedCheck {
  const message = `${used} of ${max_replication_slots} in use`;
  if (slot_exists || max_replication_slots > used) return good('max_replication_slots', message);
  return bad('max_replication_slots', message, setting('max_replication_slots', used + 2, 'restart'));
}

function slotLimit({ max_slot_wal_keep_size }: Facts, { allowUnlimitedSlot = false }: PreflightOptions): NamedCheck {
  const name = 'max_slot_wal_keep_size';
  if (max_slot_wal_keep_size >= 0) return good(name, bytesText(max_slot_wal_keep_size * 2 ** 20));
  const hint = setting(name, "'64GB'", 'reload');
  if (allowUnlimitedSlot) return { ...good(name, 'unlimited, as allowed'), hint };
  return bad(name, 'unlimited: when no copy can be reached, log fills the disk of the server', hint);
}

function fullPageWrites({ full_page_writes }: Facts): NamedCheck {
  if (full_page_writes === 'on') return good('full_page_writes', 'on');
  return bad(
    'full_page_writes',
    'off: a backup of a running server could hold torn pages',
    setting('full_page_writes', 'on', 'reload'),
  );
}

function fsync({ fsync: value }: Facts): NamedCheck {
  if (value === 'on') return good('fsync', 'on');
  return {
    ...good('fsync', 'off: a crash of the host can destroy the database'),
    hint: setting('fsync', 'on', 'reload'),
  };
}

function checksums({ data_checksums }: Facts): NamedCheck {
  if (data_checksums === 'on') return good('data_checksums', 'on');
  const hint = 'stop the server, then run: pg_checksums --enable -D DATA_DIRECTORY';
  return { ...good('data_checksums', 'off: damaged pages cannot be recognised while they are backed up'), hint };
}

function archiving({ archive_mode, archive_command }: Facts): NamedCheck {
  if (archive_mode === 'off') return good('archiving', 'off; Holdfast takes the log by its slot and needs none');
  const command = archive_command ? '' : ', without a command that we can see';
  return good('archiving', `archive_mode is '${archive_mode}'${command}; it is left as it is`);
}

/** Without summaries every incremental backup is captured in full, which is more work and no loss. */
function logSummaries({ version_num, summarize_wal }: Facts): NamedCheck {
  const name = 'log summaries';
  if (summarize_wal === 'on') return good(name, 'summarize_wal is on: incremental backups read what changed');
  if (summarize_wal === null) {
    const major = Math.floor(version_num / 10_000);
    return good(name, `PostgreSQL ${major} has no incremental backups: a point is made instead of each`);
  }
  const message = 'summarize_wal is off: incremental backups are captured in full';
  return { ...good(name, message), hint: setting('summarize_wal', 'on', 'reload') };
}

/** By the stream every base backup can be taken, so this is never bad. */
async function baseBackups(source: Source): Promise<NamedCheck> {
  const name = 'base backups';
  try {
    const connection = await openReplication(source);
    const { systemId } = await identifySystem(connection).finally(() => connection.close());
    const { dataDirectory } = await findFilesAtHand(source, systemId);
    return good(name, `full ones read the files in '${dataDirectory}', several at once`);
  } catch (error) {
    if (!(error instanceof BecomesStream)) return failed(name, error);
    const check = good(name, `full ones come by the stream, because ${error.because}`);
    return error.statement === undefined ? check : { ...check, hint: `run: ${error.statement}` };
  }
}

function settingsVisible({ role, sees_settings }: Facts): NamedCheck {
  if (sees_settings) return good('settings visible', `role '${role}' sees the data directory and all settings`);
  const hint = `run: GRANT pg_read_all_settings TO ${quoteIdentifier(role)};`;
  return {
    ...good('settings visible', `role '${role}' does not see the data directory; the configuration must name it`),
    hint,
  };
}

/**
 * Commits that wait for the copies: promised and so, or neither. `remote_write` would wait only for what we have received, `remote_apply` for ever
 * (PostgreSQL manual, "Synchronous Replication" and `synchronous_commit`).
 */
function synchronous(facts: Facts, { synchronous: wanted, slot = '' }: PreflightOptions): NamedCheck {
  const name = 'synchronous commits';
  const listed = facts.synchronous_standby_names;
  const isListed = namesStandby(listed, slot);
  if (wanted === undefined) {
    if (!isListed) return good(name, 'off; the copies have a change about a second after its commit');
    const hint = 'set `log.synchronous: true`, or take the receiver out of synchronous_standby_names';
    return {
      ...good(name, `synchronous_standby_names ('${listed}') makes commits wait for the receiver, up to a second each`),
      hint,
    };
  }
  if (!isListed) {
    const statement = `ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 ("${slot}")'; SELECT pg_reload_conf();`;
    const message = `synchronous_standby_names ('${listed}') does not name '${slot}': commits do not wait for the copies`;
    if (wanted === 'now') return bad(name, message, `run: ${statement}`);
    return {
      ...good(name, message),
      hint: `when \`holdfast worker\` runs and \`holdfast check\` is well otherwise, run: ${statement}`,
    };
  }
  if (facts.synchronous_commit !== 'on') {
    const why =
      facts.synchronous_commit === 'remote_apply'
        ? 'commits wait for ever'
        : 'commits do not wait until the copies have them';
    return bad(
      name,
      `synchronous_commit is '${facts.synchronous_commit}': ${why}`,
      setting('synchronous_commit', 'on', 'reload'),
    );
  }
  const state = facts.sync_state;
  if (state === 'sync' || state === 'quorum') return good(name, `commits wait for the copies (${state})`);
  const seen = state === null ? 'the receiver is not connected: commits wait for ever' : `the receiver is '${state}'`;
  return bad(
    name,
    seen,
    state === null ? 'start `holdfast worker`' : 'put the slot first in synchronous_standby_names',
  );
}

/** Names are compared as the server does: without case, `*` for all. */
function namesStandby(setting: string, slot: string): boolean {
  const list = setting.replace(/^\s*(?:(?:first|any)\s+)?\d+\s*\(([\s\S]*)\)\s*$/i, '$1');
  const names = list.split(',').map((name) =>
    name
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .toLowerCase(),
  );
  return names.includes('*') || names.includes(slot.toLowerCase());
}

function setting(name: string, value: string | number, then: 'reload' | 'restart'): string {
  const after = then === 'reload' ? 'SELECT pg_reload_conf();' : 'restart the server';
  return `run: ALTER SYSTEM SET ${name} = ${value}; then ${then === 'reload' ? 'run: ' : ''}${after}`;
}

function good(name: string, message: string): NamedCheck {
  return { name, ok: true, message };
}

function bad(name: string, message: string, hint: string): NamedCheck {
  return { name, ok: false, message, hint };
}

function failed(name: string, error: unknown): NamedCheck {
  const { code, message, hint } = isHoldfastError(error) ? error : toHoldfastError(error);
  return { ...bad(name, message, hint), code };
}
