// What of a data directory belongs into a base backup: what the server itself would send of it (PostgreSQL manual, "Making a Base Backup Using the Low Level API").

import type { Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import type { Tablespace } from '../types.ts';
import { becomesStream } from './becomes-stream.ts';
import { CONTROL_FILE } from './control-file.ts';

interface Found {
  /** As in the tree of a snapshot: relative, `/`-separated, tablespaces as `pg_tblspc/<oid>/…`. */
  readonly path: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
}

export type FoundEntry =
  | (Found & { readonly type: 'directory' })
  | (Found & { readonly type: 'file'; readonly source: Buffer; readonly sizeBytes: number });

/** Of one server's life, or written anew by every server, or ours: at any depth. */
const leftOut = new Set([
  'postgresql.auto.conf.tmp',
  'current_logfiles.tmp',
  'backup_label',
  'tablespace_map',
  'backup_manifest',
  'postmaster.pid',
  'postmaster.opts',
  '.DS_Store',
]);
/** Files and directories whose names begin so: what queries spill, and caches of the catalogue. */
const leftOutPrefixes = ['pgsql_tmp', 'pg_internal.init'];
/** Kept as empty directories: what is in them is made anew when a server starts. */
const emptied = new Set([
  'pg_stat_tmp',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_subtrans',
]);

const DATABASE_DIRECTORY = /^(?:base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)$/;
const TEMPORARY_RELATION = /^t\d+_\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/;
const RELATION = /^(\d+)(?:_(fsm|vm|init))?(?:\.\d+)?$/;

export interface DataDirectory {
  readonly root: string;
  readonly major: number;
  /** Name of the one directory of this server in each tablespace: `PG_17_202406281`. */
  readonly tablespaceDirectory: string;
  readonly tablespaces: readonly Tablespace[];
  /** Told of what is neither file nor directory, and is left out. */
  readonly onSkipped: (path: string) => void;
}

/** The links in `pg_tblspc`; `undefined` where a tablespace is a directory in there, which only developers make. */
export async function findTablespaces(root: string): Promise<readonly Tablespace[] | undefined> {
  const found: Tablespace[] = [];
  for (const entry of await readdir(path.join(root, 'pg_tblspc'), { withFileTypes: true })) {
    if (!/^\d+$/.test(entry.name)) continue;
    if (!entry.isSymbolicLink()) return undefined;
    found.push({ oid: Number(entry.name), location: await readlink(path.join(root, 'pg_tblspc', entry.name)) });
  }
  return found.sort((one, other) => one.oid - other.oid);
}

/**
 * Everything but `global/pg_control`, which is read last, the links of tablespaces, and the log. What vanishes meanwhile is not there; what
 * comes into being is in the log.
 */
export async function* walkDataDirectory(directory: DataDirectory): AsyncGenerator<FoundEntry> {
  const { root, tablespaces, tablespaceDirectory } = directory;
  for (const { oid, location } of tablespaces) {
    const source = Buffer.from(path.join(location, tablespaceDirectory));
    // The server makes it with the tablespace: without it the disk is not there, or not seen from here.
    if ((await statOf(source)) === undefined) emptyTablespace(oid, location);
    yield* walkBelow(directory, source, `pg_tblspc/${oid}/${tablespaceDirectory}`);
  }
  yield* walkInside(directory, Buffer.from(root), '');
}

/** A backup without it would look whole. Throws `BACKUP_INVALID`. */
export function emptyTablespace(oid: number, location: string): never {
  return fail(
    'BACKUP_INVALID',
    `tablespace ${oid} is not in its place '${location}': not even its directory is there`,
    {
      hint: `is the disk of '${location}' mounted, and does the worker see it? DROP TABLESPACE, when it is meant to be gone`,
    },
  );
}

/** The directory and what is in it. */
async function* walkBelow(directory: DataDirectory, source: Buffer, below: string): AsyncGenerator<FoundEntry> {
  const stat = await statOf(source);
  if (stat === undefined) return;
  yield { type: 'directory', path: below, ...factsOf(stat) };
  yield* walkInside(directory, source, below);
}

async function* walkInside(directory: DataDirectory, source: Buffer, below: string): AsyncGenerator<FoundEntry> {
  // Bytes: a name need not be UTF-8.
  const names = await readdir(source, { encoding: 'buffer' }).catch(gone([]));
  const isKept = keeper(below, new Set(names.map((name) => name.toString('utf8'))));
  for (const bytes of names.sort(Buffer.compare)) {
    const name = bytes.toString('utf8');
    const file = below === '' ? name : `${below}/${name}`;
    if (!isKept(name) || file === CONTROL_FILE) continue;
    const entry = await look(directory, Buffer.concat([source, Buffer.from('/'), bytes]), file);
    if (entry === undefined) continue;
    yield entry.found;
    if (entry.found.type === 'directory' && !emptied.has(name)) yield* inside(directory, entry.source, file);
  }
}

async function* inside(directory: DataDirectory, source: Buffer, file: string): AsyncGenerator<FoundEntry> {
  if (file !== 'pg_wal') return yield* walkInside(directory, source, file);
  const names = directory.major >= 17 ? ['archive_status', 'summaries'] : ['archive_status'];
  for (const name of names) {
    const stat = await statOf(Buffer.concat([source, Buffer.from(`/${name}`)]));
    if (stat !== undefined) yield { type: 'directory', path: `${file}/${name}`, ...factsOf(stat) };
  }
}

async function look({ onSkipped }: DataDirectory, source: Buffer, file: string) {
  const stat = await statOf(source);
  if (stat === undefined) return undefined;
  if (stat.isFile()) {
    return { source, found: { type: 'file', path: file, source, sizeBytes: stat.size, ...factsOf(stat) } as const };
  }
  // The one link that leads to a part of the cluster; it is a directory in every backup.
  const isLog = file === 'pg_wal' && stat.isSymbolicLink();
  if (stat.isDirectory() || isLog) {
    const facts = isLog ? { ...factsOf(stat), mode: 0o700 } : factsOf(stat);
    return { source, found: { type: 'directory', path: file, ...facts } as const };
  }
  // The links of tablespaces are in the tree already.
  if (!/^pg_tblspc\/\d+$/.test(file)) onSkipped(file);
  return undefined;
}

/** Whether a name of this directory belongs into a backup. `names`: all that are in it. */
function keeper(below: string, names: ReadonlySet<string>): (name: string) => boolean {
  const isDatabase = DATABASE_DIRECTORY.test(below);
  return (name) => {
    if (leftOut.has(name) || leftOutPrefixes.some((prefix) => name.startsWith(prefix))) return false;
    if (!isDatabase) return true;
    if (TEMPORARY_RELATION.test(name)) return false;
    const [, relation, fork] = RELATION.exec(name) ?? [];
    // A recovered server makes an unlogged relation anew from its init fork.
    return relation === undefined || fork === 'init' || !names.has(`${relation}_init`);
  };
}

function factsOf({ mode, mtimeMs }: Stats): Pick<Found, 'mode' | 'mtimeSeconds'> {
  return { mode: mode & 0o7777, mtimeSeconds: Math.floor(mtimeMs / 1000) };
}

async function statOf(source: Buffer): Promise<Stats | undefined> {
  return await lstat(source).catch(gone(undefined));
}

/** What vanished is no error of a backup of a running server; what may not be read ends this way of taking one. */
function gone<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    const { code, path: place } = error;
    if (code === 'ENOENT' || code === 'ENOTDIR') return value;
    if (code === 'EACCES' || code === 'EPERM') return becomesStream(`'${place}' cannot be read here (${code})`);
    throw error;
  };
}
