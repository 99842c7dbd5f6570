// Fetches a base backup into the work directory: in parallel, verified, keeping what is right already, startable only when whole.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rename, rm, symlink, unlink } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import type { SnapshotReader, TreeEntry, Vault } from '../../vault/types.ts';
import type { RestorePlan } from '../types.ts';
import {
  exists,
  lstatIfThere,
  makeDirectory,
  type Owner,
  ownerFor,
  readIfThere,
  renameDurably,
  syncDirectory,
  writeDurably,
} from './durable-files.ts';
import { eachOf } from './parallel.ts';
import { markerFile, type RestorePaths } from './paths.ts';
import { pathsOf } from './work-directory.ts';

export interface FetchProgress {
  /** Files done, kept ones included. */
  readonly files: number;
  readonly bytes: number;
  /** Of the bytes, those that were right on the disk already. */
  readonly keptBytes: number;
  readonly totalBytes: number;
}

export interface FetchOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Files under way at once; default 4. */
  readonly atOnce?: number;
}

/** Without these a server refuses the directory: they get their names when everything else is on the disk. */
const lastFiles = ['PG_VERSION', 'global/pg_control'];
const defaultAtOnce = 4;

/**
 * Idempotent: files whose size and SHA-256 are right are kept, and a fetch that was finished is not begun again. Throws what
 * the vault throws for missing or damaged packs, and `CANCELLED`.
 */
export async function fetchBase(plan: RestorePlan, vault: Vault, options: FetchOptions = {}): Promise<FetchProgress> {
  const paths = pathsOf(plan);
  const done = await readIfThere(path.join(paths.work, 'fetched.json'));
  if (done !== undefined) return JSON.parse(done) as FetchProgress;
  const reader = await vault.openSnapshot(plan.base.snapshot, plan.base.copy);
  const fetch = new Fetch(plan, paths, reader, options, await ownerFor(plan.execution.runAs));
  const progress = await fetch.run().finally(() => reader.close());
  await writeDurably(path.join(paths.work, 'fetched.json'), `${JSON.stringify(progress)}\n`);
  return progress;
}

class Fetch {
  private readonly plan: RestorePlan;
  private readonly paths: RestorePaths;
  private readonly reader: SnapshotReader;
  private readonly options: FetchOptions;
  private readonly owner: Owner | undefined;
  private readonly directories = new Map<string, Promise<void>>();
  private readonly wanted = new Set<string>();
  private files = 0;
  private bytes = 0;
  private keptBytes = 0;

  constructor(
    plan: RestorePlan,
    paths: RestorePaths,
    reader: SnapshotReader,
    options: FetchOptions,
    owner: Owner | undefined,
  ) {
    this.plan = plan;
    this.paths = paths;
    this.reader = reader;
    this.options = options;
    this.owner = owner;
  }

  async run(): Promise<FetchProgress> {
    await this.makeDirectory(this.paths.data, 0o700);
    await this.makeTablespaces();
    const last: TreeEntry[] = [];
    await eachOf(this.reader.entries(), this.options.atOnce ?? defaultAtOnce, async (entry) => {
      this.stopWhenCancelled();
      if (lastFiles.includes(entry.path)) last.push(entry);
      else await this.place(entry);
    });
    if (last.length !== lastFiles.length) {
      fail('OBJECT_DAMAGED', `snapshot '${this.plan.base.snapshot}' has no ${lastFiles.join(' or ')}`);
    }
    await this.makeDirectory(path.join(this.paths.data, 'pg_wal'), 0o700);
    await this.removeStrangers();
    for (const directory of this.directories.keys()) await syncDirectory(directory);
    for (const name of lastFiles) {
      const entry = last.find((it) => it.path === name) as TreeEntry;
      await this.writeFile(entry, this.locate(name));
      await syncDirectory(path.dirname(this.locate(name)));
    }
    return this.progress();
  }

  private stopWhenCancelled(): void {
    if (this.options.signal?.aborted) fail('CANCELLED', 'fetching the base backup was cancelled');
  }

  private progress(): FetchProgress {
    const { files, bytes, keptBytes } = this;
    return { files, bytes, keptBytes, totalBytes: this.plan.source.sizeBytes };
  }

  /** Tablespaces live inside the new directory for now: nothing of production's own is reached through their links. */
  private async makeTablespaces(): Promise<void> {
    for (const { oid } of this.plan.execution.tablespaces) {
      const location = path.join(this.paths.data, 'tablespaces', String(oid));
      await this.makeDirectory(path.dirname(location), 0o700);
      await this.makeDirectory(location, 0o700);
      await this.makeDirectory(path.join(this.paths.data, 'pg_tblspc'), 0o700);
      await linkTo(location, path.join(this.paths.data, 'pg_tblspc', String(oid)));
    }
  }

  private locate(name: string): string {
    const parts = name.split('/');
    if (path.isAbsolute(name) || parts.includes('..') || parts.includes('')) {
      fail('OBJECT_DAMAGED', `snapshot '${this.plan.base.snapshot}' has an entry outside of itself: '${name}'`);
    }
    const [first, oid, ...rest] = parts;
    const isTablespace = first === 'pg_tblspc' && this.plan.execution.tablespaces.some((it) => String(it.oid) === oid);
    return isTablespace && oid !== undefined
      ? path.join(this.paths.data, 'tablespaces', oid, ...rest)
      : path.join(this.paths.data, ...parts);
  }

  private async place(entry: TreeEntry): Promise<void> {
    // The one names the places of the source, the links made here are the true ones; the other was an earlier restore's.
    if (entry.path === 'tablespace_map' || entry.path === markerFile) return;
    const target = this.locate(entry.path);
    if (entry.type === 'directory') return this.makeDirectory(target, entry.mode);
    if (entry.type === 'symlink') return this.placeLink(entry);
    await this.makeDirectory(path.dirname(target));
    this.wanted.add(target);
    await this.writeFile(entry, target);
  }

  private placeLink(entry: TreeEntry): Promise<void> | void {
    // Links of tablespaces were made above; a linked pg_wal becomes a directory. No other link belongs in a cluster.
    if (entry.path.startsWith('pg_tblspc/') || entry.path === 'pg_wal') return;
    fail('OBJECT_DAMAGED', `snapshot '${this.plan.base.snapshot}' has a link at '${entry.path}'`);
  }

  /** Each directory is made once, however many files of it are under way; all of them wait for that. */
  private makeDirectory(directory: string, mode?: number): Promise<void> {
    const before = this.directories.get(directory);
    if (before !== undefined && mode === undefined) return before;
    const made = (before ?? Promise.resolve()).then(async () => {
      const parent = path.dirname(directory);
      if (parent.startsWith(this.paths.data)) await this.makeDirectory(parent);
      await makeDirectory(directory, (mode ?? 0o700) & 0o777, this.owner);
    });
    this.directories.set(directory, made);
    return made;
  }

  private async writeFile(entry: TreeEntry, target: string): Promise<void> {
    if (await isRight(entry, target)) this.keptBytes += entry.sizeBytes;
    else await this.download(entry, target);
    this.files += 1;
    this.bytes += entry.sizeBytes;
    this.options.onProgress?.(this.progress());
  }

  private async download(entry: TreeEntry, target: string): Promise<void> {
    const partial = `${target}.holdfast-part`;
    const handle = await open(partial, 'w', 0o600);
    try {
      await handle.chmod(entry.mode & 0o777);
      if (this.owner !== undefined) await handle.chown(this.owner.uid, this.owner.gid);
      for await (const bytes of this.reader.read(entry)) {
        this.stopWhenCancelled();
        await handle.writeFile(bytes);
      }
      await handle.utimes(entry.mtimeSeconds, entry.mtimeSeconds);
      await handle.sync();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOSPC' || code === 'EDQUOT') fail('NO_SPACE', `no room for '${target}'`, { cause: error });
      throw error;
    } finally {
      await handle.close();
    }
    await rename(partial, target);
  }

  /** What an earlier attempt for this directory left and the snapshot does not have. */
  private async removeStrangers(): Promise<void> {
    for (const directory of this.directories.keys()) {
      for (const item of await readdir(directory, { withFileTypes: true })) {
        const file = path.join(directory, item.name);
        const isKnown = this.wanted.has(file) || this.directories.has(file) || item.isSymbolicLink();
        const isLast = lastFiles.includes(path.relative(this.paths.data, file));
        if (!isKnown && !isLast && item.isFile()) await unlink(file);
      }
    }
  }
}

async function isRight(entry: TreeEntry, target: string): Promise<boolean> {
  const there = await lstatIfThere(target);
  if (there === undefined || !there.isFile() || there.size !== entry.sizeBytes) return false;
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(target)) hash.update(bytes as Buffer);
  return hash.digest('hex') === entry.sha256;
}

/** Points a link at a place, whatever it pointed at before; at every instant one of the two is true. */
export async function linkTo(target: string, name: string): Promise<void> {
  const partial = `${name}.holdfast-part`;
  await rm(partial, { force: true });
  await symlink(target, partial);
  await renameDurably(partial, name);
}

/** Whether a fetch was finished here. */
export async function isFetched(paths: RestorePaths): Promise<boolean> {
  return exists(path.join(paths.work, 'fetched.json'));
}
