// Makes the cluster of a sandbox server: initdb, its settings, who may connect, and Holdfast's own role.

import { randomBytes } from 'node:crypto';
import { appendFile, chown, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { findUser, run } from '../process/index.ts';
import { makeDirectoryFor } from './server-user.ts';

/** A socket's path must fit into 107 bytes (unix(7)); `/.s.PGSQL.12345` comes on top. */
const longestSocketDirectory = 90;

export interface ClusterOptions {
  readonly dir: string;
  readonly bindir: string;
  readonly major: number;
  readonly runAs: string | undefined;
  readonly port: number;
  readonly dataDirectory: string;
  readonly superuserPassword: string;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly walSegmentSizeMb?: number;
  readonly allowReplication?: boolean;
}

/** Letters and digits only, so that it fits into URLs, SQL and files without quoting. */
export function newPassword(): string {
  return randomBytes(18).toString('hex');
}

export async function createCluster(options: ClusterOptions): Promise<void> {
  const { dir, bindir, runAs, dataDirectory, superuserPassword, walSegmentSizeMb = 16 } = options;
  const socketDirectory = path.join(dir, 'socket');
  await makeDirectoryFor(runAs, socketDirectory, 0o700);
  const passwordFile = path.join(dir, 'initial-password');
  await writeFile(passwordFile, superuserPassword, { mode: 0o600 });
  if (runAs !== undefined) {
    const { uid, gid } = await findUser(runAs);
    await chown(passwordFile, uid, gid);
  }
  try {
    const args = ['-D', dataDirectory, '-U', 'postgres', '-E', 'UTF8', '--locale=C.UTF-8', '--data-checksums'];
    args.push('--auth=scram-sha-256', `--pwfile=${passwordFile}`, `--wal-segsize=${walSegmentSizeMb}`, '--no-sync');
    const user = runAs === undefined ? {} : { runAs };
    await run(path.join(bindir, 'initdb'), args, { cwd: '/', deadlineMs: 180_000, ...user });
  } finally {
    await rm(passwordFile);
  }
  await appendFile(path.join(dataDirectory, 'postgresql.conf'), settingLines(options, socketDirectory));
  await writeFile(path.join(dataDirectory, 'pg_hba.conf'), hbaLines(options.allowReplication ?? true));
}

function settingLines({ major, port, settings }: ClusterOptions, socketDirectory: string): string {
  const all = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: socketDirectory.length > longestSocketDirectory ? '' : socketDirectory,
    wal_level: 'replica',
    max_wal_senders: 10,
    max_replication_slots: 10,
    // Without a limit a slot that nobody reads fills the disk.
    max_slot_wal_keep_size: '4GB',
    log_line_prefix: '%m [%p] %q%u@%d ',
    ...(major >= 17 ? { summarize_wal: 'on' } : {}),
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'`);
  return `\n# Sandbox\n${lines.join('\n')}\n`;
}

function hbaLines(allowReplication: boolean): string {
  const lines = ['local all all scram-sha-256', 'host all all 127.0.0.1/32 scram-sha-256'];
  if (allowReplication) lines.push('host replication holdfast 127.0.0.1/32 scram-sha-256');
  return `${lines.join('\n')}\n`;
}

/** Exactly what Holdfast needs, the same statements that a user is told to run. */
export function createHoldfastRole(major: number, password: string): string {
  const statements = [
    `create role holdfast login replication password '${password}'`,
    'grant pg_read_all_settings to holdfast',
    'grant execute on function pg_create_restore_point(text) to holdfast',
    'grant execute on function pg_switch_wal() to holdfast',
  ];
  if (major >= 15) {
    statements.push(
      'grant pg_checkpoint to holdfast',
      'grant execute on function pg_backup_start(text, boolean) to holdfast',
      'grant execute on function pg_backup_stop(boolean) to holdfast',
    );
  }
  return statements.join(';\n');
}
