// The settings of a recovered server: made by us, so that whatever the source was told to do, this server reaches nobody.

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { canSyncFileSystem } from '../../vault/index.ts';
import type { RestorePlan } from '../types.ts';
import {
  exists,
  makeDirectory,
  type Owner,
  ownerFor,
  readIfThere,
  renameDurably,
  writeDurably,
} from './durable-files.ts';
import type { RestorePaths } from './paths.ts';
import { restoreCommand } from './restore-command.ts';

/** Port in the name of the private socket; nothing listens on a network. */
export const quarantinePort = 5432;

/** What the server is started with; only there while the directory has not got its own settings back. */
export const quarantineSettings = ({ quarantine }: RestorePaths) => path.join(quarantine, 'postgresql.conf');

/**
 * Read by the server after our own file, so what the source's `ALTER SYSTEM` wrote is put aside before the first start. The
 * others would only be read by mistake, but nobody should have to trust that.
 */
const settingsFiles = ['postgresql.auto.conf', 'postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'];
/** A server that finds one of these does something else than recover to a target. */
const signalFiles = ['standby.signal', 'recovery.conf', 'recovery.done', 'postmaster.pid', 'postmaster.opts'];

/** Puts the source's settings aside and ours in place. Idempotent; nothing here may run while the server does. */
export async function enterQuarantine(plan: RestorePlan, paths: RestorePaths): Promise<void> {
  const owner = await ownerFor(plan.execution.runAs);
  await makeDirectory(paths.socket, 0o700, owner);
  for (const file of settingsFiles) {
    const [inData, aside] = [path.join(paths.data, file), path.join(paths.aside, file)];
    if (!(await exists(aside)) && (await exists(inData))) await renameDurably(inData, aside);
  }
  for (const file of signalFiles) await moveAside(paths, file);
  const confD = path.join(paths.data, 'conf.d');
  if ((await exists(confD)) && (await readdir(confD)).length > 0) await moveAside(paths, 'conf.d');
  await writeDurably(path.join(paths.data, 'postgresql.auto.conf'), '', 0o600, owner);
  await writeSettings(plan, paths, owner);
}

export interface Following {
  readonly conninfo: string;
  readonly slot: string;
  /** What the primary has of the settings that a standby must not be below. */
  readonly floors: Readonly<Record<string, number>>;
}

/** The same for a server that follows its primary: it has a way to it, and no target. */
export async function enterFollowing(plan: RestorePlan, paths: RestorePaths, following: Following): Promise<void> {
  await enterQuarantine(plan, paths);
  const owner = await ownerFor(plan.execution.runAs);
  const { restore_command: _, ...own } = settings(plan, paths);
  const kept = Object.entries(own).filter(([name]) => !name.startsWith('recovery_target'));
  const lines: Record<string, string | number> = {
    ...Object.fromEntries(kept),
    ...recoverySettings({ ...plan.source.recoverySettings, ...following.floors }),
    primary_conninfo: following.conninfo,
    primary_slot_name: following.slot,
    recovery_target_timeline: 'latest',
  };
  await writeConfiguration(paths, lines, owner);
  await writeDurably(path.join(paths.data, 'standby.signal'), '', 0o600, owner);
}

async function moveAside(paths: RestorePaths, file: string): Promise<void> {
  const from = path.join(paths.data, file);
  if (await exists(from)) await renameDurably(from, path.join(paths.aside, file));
}

async function writeSettings(plan: RestorePlan, paths: RestorePaths, owner: Owner | undefined): Promise<void> {
  const file = (name: string) => path.join(paths.quarantine, name);
  await writeDurably(file('restore-command.sh'), restoreCommand(paths), 0o700, owner);
  await writeDurably(file('pg_hba.conf'), 'local all all trust\n', 0o600, owner);
  await writeDurably(file('pg_ident.conf'), '', 0o600, owner);
  await writeConfiguration(paths, settings(plan, paths), owner);
}

async function writeConfiguration(
  paths: RestorePaths,
  given: Readonly<Record<string, string | number>>,
  owner: Owner | undefined,
): Promise<void> {
  const lines = Object.entries(given).map(([name, value]) => `${name} = ${quote(value)}`);
  await writeDurably(quarantineSettings(paths), `${lines.join('\n')}\n`, 0o600, owner);
}

function settings(plan: RestorePlan, paths: RestorePaths): Record<string, string | number> {
  const { resolved, source, execution } = plan;
  return {
    // Where it is, and that nobody else finds it.
    data_directory: paths.data,
    hba_file: path.join(paths.quarantine, 'pg_hba.conf'),
    ident_file: path.join(paths.quarantine, 'pg_ident.conf'),
    external_pid_file: '',
    listen_addresses: '',
    port: quarantinePort,
    unix_socket_directories: paths.socket,
    unix_socket_permissions: '0700',
    ssl: 'off',
    bonjour: 'off',
    // That it tells nobody.
    archive_mode: 'off',
    archive_command: '',
    archive_cleanup_command: '',
    recovery_end_command: '',
    primary_conninfo: '',
    primary_slot_name: '',
    synchronous_standby_names: '',
    max_logical_replication_workers: 0,
    ...(source.major >= 17 ? { sync_replication_slots: 'off' } : {}),
    // That nothing runs in it by itself.
    shared_preload_libraries: execution.preloadLibraries.join(','),
    session_preload_libraries: '',
    local_preload_libraries: '',
    // Those for a login fire in our own sessions too: one that writes would let nobody in while the server recovers.
    ...(source.major >= 17 ? { event_triggers: 'off' } : {}),
    // That it can replay what the source wrote: never below the source (PostgreSQL manual, "Hot Standby").
    ...recoverySettings(source.recoverySettings),
    wal_level: 'replica',
    hot_standby: 'on',
    max_replication_slots: 10,
    max_standby_archive_delay: -1,
    // That it stops exactly where the plan says.
    restore_command: `${shellQuote(path.join(paths.quarantine, 'restore-command.sh'))} "%f" "%p"`,
    recovery_target_lsn: resolved.lastRecordLsn,
    recovery_target_inclusive: 'on',
    recovery_target_timeline: String(resolved.timeline),
    recovery_target_action: 'pause',
    restart_after_crash: 'off',
    // It finds a backup that was just synced: the file system is asked once, not each of its files.
    recovery_init_sync_method: canSyncFileSystem() ? 'syncfs' : 'fsync',
    // That we can read what it says.
    logging_collector: 'off',
    log_destination: 'stderr',
    log_min_messages: 'info',
    log_line_prefix: '%m [%p] ',
    log_timezone: 'UTC',
    timezone: 'UTC',
    lc_messages: 'C',
    cluster_name: `holdfast ${plan.run}`.slice(0, 60),
    max_wal_size: '4GB',
    checkpoint_timeout: '15min',
    // That a page which the log changes again and again is written once.
    // In pages of 8 KiB.
    shared_buffers: `${bufferMegabytes(process.availableMemory()) * 128}`,
  };
}

/** A part of the memory that is free: production may be on the same host. What a server takes by itself at the least. */
export function bufferMegabytes(availableBytes: number): number {
  return Math.min(1024, Math.max(128, Math.floor(availableBytes / 8 / 2 ** 20)));
}

const floors: Readonly<Record<string, number>> = { max_connections: 20, max_wal_senders: 10, max_worker_processes: 8 };

function recoverySettings(source: Readonly<Record<string, number>>): Record<string, number> {
  const names = new Set([...Object.keys(source), ...Object.keys(floors)]);
  return Object.fromEntries([...names].map((name) => [name, Math.max(source[name] ?? 0, floors[name] ?? 0)]));
}

/** As the configuration file wants it (PostgreSQL manual, "Parameter Names and Values"). */
export function quote(value: string | number): string {
  const text = String(value);
  if (/[\n\r]/.test(text)) fail('TARGET_UNFIT', `'${text}' cannot be written into a settings file`);
  return typeof value === 'number' ? text : `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
}

export function shellQuote(text: string): string {
  // A percent sign would be taken for a placeholder of `restore_command`.
  if (text.includes('%')) fail('TARGET_UNFIT', `'${text}' has a percent sign, which a restore command cannot carry`);
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The settings files of the snapshot as they were, for the directory that leaves quarantine. */
export async function asideSettings(paths: RestorePaths): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const file of settingsFiles) {
    const text = await readIfThere(path.join(paths.aside, file));
    if (text !== undefined) found.set(file, text);
  }
  return found;
}
