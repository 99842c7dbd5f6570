// What comes into the data directory of a stopped server, made and proven beside it, on its own file system.

import { chown, link, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Moment } from '../../domain/moment.ts';
import { syncDirectory, syncFileSystemOf } from '../../system/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import type { RdbFacts } from '../rdb/index.ts';
import type { Comparison } from '../throwaway/compare.ts';
import { proveRdb } from '../throwaway/prove.ts';
import { findTools } from '../tools.ts';
import { RDB_FILE } from '../types.ts';
import type { ExchangedName } from './exchange.ts';
import { fetchRdb, storedDetails } from './fetch.ts';
import type { DataNames } from './server-place.ts';

export interface StageOptions {
  readonly vault: Vault;
  readonly snapshot: SnapshotOnCopies;
  readonly from?: string;
  readonly moment?: Moment;
  readonly programs?: string;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly layout: DataLayout;
  readonly signal: AbortSignal;
}

export interface DataLayout extends DataNames {
  /** What it reads at its start: the append-only directory instead of the RDB. */
  readonly isAppendOnly: boolean;
}

export interface Staged {
  readonly names: readonly ExchangedName[];
  readonly facts: RdbFacts;
  readonly comparison: Comparison;
}

/** Into `directory`. Throws `NO_SPACE`, `TOOL_VERSION`, `BACKUP_INVALID`, `CHECK_FAILED`. May be called again after it was killed. */
export async function stageData(options: StageOptions, directory: string): Promise<Staged> {
  const { snapshot, dataDirectory, layout, programs, signal } = options;
  const tools = await findTools(storedDetails(snapshot).server, programs === undefined ? {} : { programs });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { uid, gid, mode } = await stat(dataDirectory);
  const owner = { uid, gid };
  const facts = await fetchRdb(options, { directory, tools, owner, signal });
  const comparison = await proveRdb({ tools, directory, facts, signal });
  if (layout.rdbFile !== RDB_FILE) {
    await rename(path.join(directory, RDB_FILE), path.join(directory, layout.rdbFile));
  }
  if (layout.isAppendOnly) await writeAppendOnly(directory, layout, { ...owner, mode });
  await syncWhole(directory);
  const names = [
    { name: layout.rdbFile, comesIn: true },
    { name: layout.appendDirectory, comesIn: layout.isAppendOnly },
  ];
  return { names, facts, comparison };
}

/** What an append-only server reads at its start: without it, it would start empty, whatever RDB there is. */
export async function writeAppendOnly(
  directory: string,
  { rdbFile, appendDirectory, appendFile }: DataNames,
  { uid, gid, mode }: { readonly uid: number; readonly gid: number; readonly mode: number },
): Promise<void> {
  const place = path.join(directory, appendDirectory);
  const base = `${appendFile}.1.base.rdb`;
  const manifest = path.join(place, `${appendFile}.manifest`);
  await mkdir(place, { recursive: true, mode });
  // An earlier attempt may have left another RDB there: one that is made of append-only files is made anew each time.
  await rm(path.join(place, base), { force: true });
  await link(path.join(directory, rdbFile), path.join(place, base));
  await writeFile(manifest, `file ${base} seq 1 type b\n`, { mode: 0o600 });
  for (const name of [place, manifest]) await chown(name, uid, gid);
  await syncDirectory(place);
}

async function syncWhole(directory: string): Promise<void> {
  const place = await open(directory);
  try {
    await syncFileSystemOf(place.fd);
  } finally {
    await place.close();
  }
}
