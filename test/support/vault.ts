// Vaults for tests: in temporary directories, with a key file, and snapshots of bytes that a seed determines.

import { createCipheriv, createHash } from 'node:crypto';
import { existsSync, statfsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Moment } from '../../src/domain/moment.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import type { Store } from '../../src/stores/store.ts';
import {
  type CommitPolicy,
  createVault,
  generateKeyFile,
  openVault,
  type SnapshotId,
  type SnapshotOnCopies,
  type SnapshotReader,
  type SnapshotRequest,
  type Vault,
  type VaultOptions,
} from '../../src/vault/index.ts';

export const COMPONENT = 'database/main';
export const FROM = '2026-11-23T06:14:07.000000Z' as Moment;
export const TO = '2026-11-23T06:15:00.000000Z' as Moment;

export interface TestVault {
  readonly directory: string;
  readonly keyFile: string;
  readonly options: VaultOptions;
  readonly vault: Vault;
  /** Directory of a file copy. */
  path(copy: string): string;
  /** The same vault opened anew, with changed options. */
  reopen(changes?: Partial<VaultOptions>): Promise<Vault>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface TestVaultOptions {
  /** Names of copies; all but the first are off-site. */
  readonly copies?: readonly string[];
  readonly policy?: CommitPolicy;
  readonly wrap?: (store: Store) => Store;
  readonly store?: (name: string, directory: string) => Promise<Store>;
  readonly changes?: Partial<VaultOptions>;
  /** Where its directories are; default a place where a sync costs nothing (`memoryDirectory`). */
  readonly root?: string;
}

const ROOM_BYTES = 4 * 1024 ** 3;

/** A file system in memory where there is a large one: the same files and the same order of calls, without the disk's time. */
export function memoryDirectory(): string {
  if (!existsSync('/dev/shm')) return tmpdir();
  const { bavail, bsize } = statfsSync('/dev/shm');
  return bavail * bsize >= ROOM_BYTES ? '/dev/shm' : tmpdir();
}

export async function testVault(setup: TestVaultOptions = {}): Promise<TestVault> {
  const directory = await mkdtemp(join(setup.root ?? memoryDirectory(), 'holdfast-vault-'));
  const keyFile = join(directory, 'vault.key');
  await generateKeyFile(keyFile);
  const copies = [];
  for (const [number, name] of (setup.copies ?? ['local']).entries()) {
    const path = join(directory, name);
    await mkdir(path);
    const store = setup.store ? await setup.store(name, path) : new FileStore(name, path);
    const description = { name, site: 'home', medium: 'disk', offsite: number > 0, location: store.location };
    copies.push({ description, store: setup.wrap ? setup.wrap(store) : store });
  }
  const options: VaultOptions = {
    estate: 'acme',
    copies,
    policy: setup.policy ?? { copies: 1, offsite: 0 },
    keys: [{ name: 'host', kind: 'file', path: keyFile }],
    logger: pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' }),
    host: 'db1',
    ...setup.changes,
  };
  return {
    directory,
    keyFile,
    options,
    vault: await createVault(options),
    path: (copy) => join(directory, copy),
    reopen: (changes) => openVault({ ...options, ...changes }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Bytes that look random and are the same for the same seed. */
export function seededBytes(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

export async function* inPieces(bytes: Buffer, pieceBytes = 50_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** Ids count up from the capture time: `number` 1 is `20261123T061407Z-00000001`. */
export function snapshotId(number: number): SnapshotId {
  return `20261123T061407Z-${number.toString(16).padStart(8, '0')}` as SnapshotId;
}

export function request(number: number, changes: Partial<SnapshotRequest> = {}): SnapshotRequest {
  return {
    id: snapshotId(number),
    component: COMPONENT,
    kind: 'physical',
    class: 'full',
    from: FROM,
    host: 'db1',
    ...changes,
  };
}

export type Files = Readonly<Record<string, Buffer>>;

/** Takes a whole snapshot of `files`; paths below `base/` are cut in pages. */
export async function takeSnapshot(
  vault: Vault,
  files: Files,
  number = 1,
  changes: Partial<SnapshotRequest> = {},
  to = TO,
): Promise<SnapshotOnCopies> {
  const writer = await vault.writeSnapshot(request(number, changes));
  try {
    await writer.addDirectory({ path: 'base', mode: 0o700, mtimeSeconds: 1 });
    for (const [path, bytes] of Object.entries(files)) {
      const chunking = path.startsWith('base/') ? 'pages' : 'content';
      await writer.addFile({ path, mode: 0o600, mtimeSeconds: 2, chunking }, inPieces(bytes));
    }
    await writer.addSymlink({ path: 'pg_wal', mode: 0o777, mtimeSeconds: 3, linkTarget: '/wal' });
    return await writer.commit({ to, state: 'clean', engine: { systemId: '7' } });
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

export async function readFiles(reader: SnapshotReader): Promise<Record<string, Buffer>> {
  const files: Record<string, Buffer> = {};
  for await (const entry of reader.entries()) {
    if (entry.type !== 'file') continue;
    const pieces: Buffer[] = [];
    for await (const piece of reader.read(entry)) pieces.push(piece);
    files[entry.path] = Buffer.concat(pieces);
  }
  return files;
}
