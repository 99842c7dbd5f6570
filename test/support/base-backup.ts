// Base backups in tests: of a real server into a vault, written below a directory again, and a directory as names and hashes.

import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { type TakeBaseBackupOptions, takeBaseBackup } from '../../src/postgres/backup/index.ts';
import type { SnapshotId, Vault } from '../../src/vault/index.ts';
import { type ScratchPostgres, startScratchPostgres } from './scratch-postgres.ts';
import { temporaryDirectory } from './temporary.ts';
import { COMPONENT, snapshotId, type TestVault, testVault } from './vault.ts';

const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });

export interface BackupBench {
  readonly holder: TestVault;
  readonly server: ScratchPostgres;
  readonly vault: Vault;
  readonly directory: string;
  /** `number` names the snapshot. */
  backup(number: number, changes?: Partial<TakeBaseBackupOptions>): ReturnType<typeof takeBaseBackup>;
  incremental(number: number, changes?: Partial<TakeBaseBackupOptions>): ReturnType<typeof takeBaseBackup>;
}

/** A server that summarizes its log where it can, a vault, and backups of the one into the other; `number` names the snapshot. */
export async function backupBench(
  t: TestContext,
  major: number,
  settings: Record<string, string> = {},
): Promise<BackupBench> {
  const summaries = major >= 17 ? { summarize_wal: 'on' } : {};
  const server = await startScratchPostgres(t, {
    major,
    initdb: ['--data-checksums'],
    settings: { autovacuum: 'off', ...summaries, ...settings },
  });
  const made = await testVault();
  t.after(() => made[Symbol.asyncDispose]());
  const directory = await temporaryDirectory(t);
  const backup: BackupBench['backup'] = (number, changes = {}) =>
    takeBaseBackup({
      source: { component: COMPONENT, url: server.url() },
      vault: made.vault,
      request: { snapshotId: snapshotId(number), component: COMPONENT, host: 'db1' },
      waitForLog: () => Promise.resolve(),
      signal: new AbortController().signal,
      logger,
      ...changes,
    });
  const incremental = { spoolDirectory: path.join(directory, 'state') };
  return {
    holder: made,
    server,
    vault: made.vault,
    directory,
    backup,
    incremental: (number, changes) => backup(number, { incremental, ...changes }),
  };
}

/** Writes the tree below `target`, tablespaces into `target/../spaces`. */
export async function restoreTree(vault: Vault, id: SnapshotId, target: string): Promise<void> {
  const reader = await vault.openSnapshot(id);
  await mkdir(target, { mode: 0o700 });
  for await (const entry of reader.entries()) {
    const file = path.join(target, entry.path);
    if (entry.type === 'directory') await mkdir(file, { recursive: true, mode: entry.mode });
    else if (entry.type === 'symlink') {
      const place = path.join(path.dirname(target), 'spaces', path.basename(entry.path));
      await mkdir(place, { recursive: true });
      await mkdir(path.dirname(file), { recursive: true });
      await symlink(place, file);
    } else {
      await mkdir(path.dirname(file), { recursive: true });
      const handle = await open(file, 'wx', entry.mode);
      for await (const bytes of reader.read(entry)) await handle.write(bytes);
      await handle.close();
    }
  }
}

/** Path to kind, mode and hash, through the links of tablespaces. */
export async function fingerprint(root: string, below = ''): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(path.join(root, below), { withFileTypes: true })) {
    const name = path.posix.join(below, entry.name);
    if (/^(backup_label|backup_manifest|pg_wal|global\/pg_control)$/.test(name)) continue;
    if (entry.isFile()) {
      found.set(
        name,
        createHash('sha256')
          .update(await readFile(path.join(root, name)))
          .digest('hex'),
      );
      continue;
    }
    found.set(name, entry.isSymbolicLink() ? 'link' : 'directory');
    for (const [key, value] of await fingerprint(root, name)) found.set(key, value);
  }
  return found;
}
