// Fetches a base backup into the work directory: in parallel, verified, keeping what is right already, startable only when whole.

import { readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import type { FileToRestore, FromElsewhere, SnapshotReader, TreeEntry, Vault } from '../../vault/types.ts';
import type { RestorePlan } from '../types.ts';
import {
  exists,
  linkTo,
  makeDirectory,
  type Owner,
  ownerFor,
  readIfThere,
  syncDirectory,
  writeDurably,
} from './durable-files.ts';
import { madeFor, makePlaces } from './linked-places.ts';
import { markerFile, type RestorePaths } from './paths.ts';
import { pathsOf } from './work-directory.ts';

export interface FetchProgress {
  /** Files done, kept ones included. */
  readonly files: number;
  readonly bytes: number;
  /** Of the bytes, those that were right on the disk already. */
  readonly keptBytes: number;
  readonly totalBytes: number;
  /** Known at the end, of the attempt that came to it. */
  readonly elsewhere?: readonly FromElsewhere[];
}

export interface FetchOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
}

/** Without these a server refuses the directory: they get their names when everything else is on the disk. */
const lastFiles = ['PG_VERSION', 'global/pg_control'];
const none = { files: 0, bytes: 0, keptBytes: 0 };

/**
 * Idempotent: files whose size and SHA-256 are right are kept, and a fetch that was finished is not begun again. Throws what
 * the vault throws for missing or damaged packs, and `CANCELLED`.
 */
export async function fetchBase(plan: RestorePlan, vault: Vault, options: FetchOptions = {}): Promise<FetchProgress> {
  const paths = pathsOf(plan);
  const before = await readIfThere(path.join(paths.work, 'fetched.json'));
  if (before !== undefined) return JSON.parse(before) as FetchProgress;
  const reader = await vault.openSnapshot(plan.base.snapshot, plan.base.copy);
  const fetch = new Fetch(plan, paths, reader, options, await ownerFor(plan.execution.runAs));
  const done = await fetch.run().finally(() => reader.close());
  const { elsewhere } = reader;
  const progress = { ...done, ...(elsewhere.length > 0 && { elsewhere }) };
  await writeDurably(path.join(paths.work, 'fetched.json'), `${JSON.stringify(progress)}\n`);
  return progress;
}

class Fetch {
  private readonly plan: RestorePlan;
  private readonly paths: RestorePaths;
  private readonly reader: SnapshotReader;
  private readonly options: FetchOptions;
  private readonly owner: Owner | undefined;
  private readonly directories = new Set<string>();
  private readonly wanted = new Set<string>();
  private done = none;

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
    await makePlaces(this.linked, this.plan.execution.runAs);
    await this.makeTablespaces();
    await this.makeLog();
    const last: TreeEntry[] = [];
    // Each place is a file system of its own, perhaps: nothing is written through a link, and each is synced.
    for (const root of [this.paths.data, ...this.linked.map(({ made }) => made)]) {
      await this.restore(root, this.placed(root, last), 'once');
    }
    if (last.length !== lastFiles.length) {
      fail('OBJECT_DAMAGED', `snapshot '${this.plan.base.snapshot}' has no ${lastFiles.join(' or ')}`);
    }
    await this.removeStrangers();
    for (const directory of this.directories) await syncDirectory(directory);
    for (const name of lastFiles) {
      const entry = last.find((it) => it.path === name) as TreeEntry;
      await this.restore(this.paths.data, [this.fileOf(this.paths.data, entry)], 'each');
      await syncDirectory(path.dirname(this.locate(name)));
    }
    return this.progress(none);
  }

  /** What is done before is counted with it. */
  private async restore(
    directory: string,
    files: Iterable<FileToRestore> | AsyncIterable<FileToRestore>,
    sync: 'once' | 'each',
  ): Promise<void> {
    const { signal, onProgress } = this.options;
    const done = await this.reader.restoreFiles(files, {
      directory,
      sync,
      onProgress: (now) => onProgress?.(this.progress(now)),
      ...(this.owner && { owner: this.owner }),
      ...(signal && { signal }),
    });
    this.done = this.progress(done);
  }

  private progress(now: Pick<FetchProgress, 'files' | 'bytes' | 'keptBytes'>): FetchProgress {
    const { files, bytes, keptBytes } = this.done;
    return {
      files: files + now.files,
      bytes: bytes + now.bytes,
      keptBytes: keptBytes + now.keptBytes,
      totalBytes: this.plan.source.sizeBytes,
    };
  }

  /** The files of the snapshot that belong below `root`, their directories made before; `last` gets those that wait. */
  private async *placed(root: string, last: TreeEntry[]): AsyncGenerator<FileToRestore> {
    for await (const entry of this.reader.entries()) {
      if (this.rootOf(this.locate(entry.path)) !== root) continue;
      if (lastFiles.includes(entry.path)) last.push(entry);
      else if (await this.place(entry)) yield this.fileOf(root, entry);
    }
  }

  private fileOf(root: string, entry: TreeEntry): FileToRestore {
    return { entry, path: path.relative(root, this.locate(entry.path)), mode: entry.mode & 0o777 };
  }

  private get linked() {
    return this.plan.execution.linked ?? [];
  }

  private rootOf(target: string): string {
    const isBelow = ({ made }: { readonly made: string }) => target === made || target.startsWith(`${made}/`);
    return this.linked.find(isBelow)?.made ?? this.paths.data;
  }

  private async makeLog(): Promise<void> {
    const log = path.join(this.paths.data, 'pg_wal');
    const made = madeFor(this.linked, 'pg_wal');
    if (made === undefined) return this.makeDirectory(log, 0o700);
    this.directories.add(made);
    await linkTo(made, log);
  }

  /** For now in directories of this run: nothing of production's own is reached through their links. */
  private async makeTablespaces(): Promise<void> {
    for (const { oid } of this.plan.execution.tablespaces) {
      const location = this.tablespace(oid);
      if (this.rootOf(location) === this.paths.data) await this.makeDirectory(path.dirname(location), 0o700);
      await this.makeDirectory(location, 0o700);
      await this.makeDirectory(path.join(this.paths.data, 'pg_tblspc'), 0o700);
      await linkTo(location, path.join(this.paths.data, 'pg_tblspc', String(oid)));
    }
  }

  private tablespace(oid: number | string): string {
    return madeFor(this.linked, `pg_tblspc/${oid}`) ?? path.join(this.paths.data, 'tablespaces', String(oid));
  }

  private locate(name: string): string {
    const parts = name.split('/');
    if (path.isAbsolute(name) || parts.includes('..') || parts.includes('')) {
      fail('OBJECT_DAMAGED', `snapshot '${this.plan.base.snapshot}' has an entry outside of itself: '${name}'`);
    }
    const [first, oid, ...rest] = parts;
    const isTablespace = first === 'pg_tblspc' && this.plan.execution.tablespaces.some((it) => String(it.oid) === oid);
    if (isTablespace && oid !== undefined) return path.join(this.tablespace(oid), ...rest);
    const log = first === 'pg_wal' ? madeFor(this.linked, 'pg_wal') : undefined;
    return log === undefined ? path.join(this.paths.data, ...parts) : path.join(log, ...parts.slice(1));
  }

  /** Makes what is not a file; true for a file, whose directory is there then. */
  private async place(entry: TreeEntry): Promise<boolean> {
    // The one names the places of the source, the links made here are the true ones; the other was an earlier restore's.
    if (entry.path === 'tablespace_map' || entry.path === markerFile) return false;
    const target = this.locate(entry.path);
    if (entry.type === 'directory') await this.makeDirectory(target, entry.mode);
    if (entry.type === 'symlink') this.placeLink(entry);
    if (entry.type !== 'file') return false;
    await this.makeDirectory(path.dirname(target));
    this.wanted.add(target);
    return true;
  }

  private placeLink(entry: TreeEntry): void {
    // Links of tablespaces were made above; a linked pg_wal becomes a directory. No other link belongs in a cluster.
    if (entry.path.startsWith('pg_tblspc/') || entry.path === 'pg_wal') return;
    fail('OBJECT_DAMAGED', `snapshot '${this.plan.base.snapshot}' has a link at '${entry.path}'`);
  }

  /** Once for the files in it, again when the snapshot says its mode. */
  private async makeDirectory(directory: string, mode?: number): Promise<void> {
    if (this.directories.has(directory) && mode === undefined) return;
    this.directories.add(directory);
    const parent = path.dirname(directory);
    if (directory !== this.rootOf(directory) && parent.startsWith(this.rootOf(directory)))
      await this.makeDirectory(parent);
    await makeDirectory(directory, (mode ?? 0o700) & 0o777, this.owner);
  }

  /** What an earlier attempt for this directory left and the snapshot does not have. */
  private async removeStrangers(): Promise<void> {
    for (const directory of this.directories) {
      for (const item of await readdir(directory, { withFileTypes: true })) {
        const file = path.join(directory, item.name);
        const isKnown = this.wanted.has(file) || this.directories.has(file) || item.isSymbolicLink();
        const isLast = lastFiles.includes(path.relative(this.paths.data, file));
        if (!isKnown && !isLast && item.isFile()) await unlink(file);
      }
    }
  }
}

/** Whether a fetch was finished here. */
export async function isFetched(paths: RestorePaths): Promise<boolean> {
  return exists(path.join(paths.work, 'fetched.json'));
}
