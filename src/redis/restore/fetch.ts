// The RDB of a snapshot from the vault onto this host's disk, with room made sure of first.

import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { bytesText } from '../../domain/size.ts';
import { fail } from '../../errors/index.ts';
import type { SnapshotOnCopies, TreeEntry, Vault } from '../../vault/types.ts';
import { RDB, RDB_FILE, type RdbDetails } from '../types.ts';

export interface StoredRdb {
  readonly vault: Vault;
  readonly snapshot: SnapshotOnCopies;
  /** Preferred copy. */
  readonly from?: string;
}

export interface FetchTarget {
  /** Absolute; exists. The file is `dump.rdb` below it. */
  readonly directory: string;
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly onProgress?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Throws `NO_SNAPSHOT` for a snapshot of anything else. */
export function rdbDetails(snapshot: SnapshotOnCopies): RdbDetails {
  if (snapshot.kind !== RDB) {
    fail(
      'NO_SNAPSHOT',
      `snapshot ${snapshot.id} of '${snapshot.component}' is of kind '${snapshot.kind}', not '${RDB}'`,
      {
        hint: `\`holdfast list ${snapshot.component}\` shows the kinds of its snapshots`,
      },
    );
  }
  return snapshot.engine as unknown as RdbDetails;
}

/** What is right there already is kept. Throws `NO_SPACE`, and as `restoreFiles` does. */
export async function fetchRdb({ vault, snapshot, from }: StoredRdb, target: FetchTarget): Promise<void> {
  const { directory, owner, onProgress, signal } = target;
  const { sizeBytes } = rdbDetails(snapshot);
  await requireSpace(directory, sizeBytes);
  const reader = await vault.openSnapshot(snapshot.id, from);
  try {
    const entry = await rdbEntry(reader.entries(), snapshot.id);
    await reader.restoreFiles([{ entry }], {
      directory,
      signal,
      ...(owner && { owner }),
      ...(onProgress && { onProgress: ({ bytes }: { bytes: number }) => onProgress(bytes) }),
    });
  } finally {
    reader.close();
  }
}

async function rdbEntry(entries: AsyncIterable<TreeEntry>, id: string): Promise<TreeEntry> {
  for await (const entry of entries) if (entry.path === RDB_FILE) return entry;
  return fail('OBJECT_DAMAGED', `snapshot ${id} has no '${RDB_FILE}'`);
}

/** Less what an earlier attempt has brought there. */
export async function requireSpace(directory: string, sizeBytes: number): Promise<void> {
  const there = await stat(path.join(directory, RDB_FILE)).then(
    ({ size }) => size,
    () => 0,
  );
  const neededBytes = Math.max(0, sizeBytes - there);
  const { bavail, bsize } = await statfs(directory);
  const availableBytes = bavail * bsize;
  if (neededBytes <= availableBytes) return;
  fail(
    'NO_SPACE',
    `the data needs ${bytesText(neededBytes)} in '${directory}', ${bytesText(availableBytes)} are free`,
    {
      hint: 'make room there, or choose a directory on another file system; nothing was touched',
      details: { neededBytes, availableBytes, directory },
    },
  );
}
