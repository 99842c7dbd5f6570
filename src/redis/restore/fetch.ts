// The RDB of a snapshot from the vault onto this host's disk, with room made sure of first.

import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Moment } from '../../domain/moment.ts';
import type { RedisLog } from '../../domain/redis-restore.ts';
import { bytesText } from '../../domain/size.ts';
import { fail } from '../../errors/index.ts';
import type { SnapshotOnCopies, TreeEntry, Vault } from '../../vault/types.ts';
import { type AofDetails, type ChosenPart, choosePart, logOf } from '../aof/details.ts';
import { recoverRdb } from '../aof/recover.ts';
import type { RdbFacts } from '../rdb/index.ts';
import type { RedisTools } from '../tools.ts';
import { AOF, type CapturedServer, RDB, RDB_FILE, type RdbDetails } from '../types.ts';

export interface StoredRdb {
  readonly vault: Vault;
  readonly snapshot: SnapshotOnCopies;
  /** Preferred copy. */
  readonly from?: string;
  /** Of append-only files: everything up to the end of this second; absent: everything. */
  readonly moment?: Moment;
}

export interface FetchTarget {
  /** Absolute; exists. The file is `dump.rdb` below it. */
  readonly directory: string;
  readonly tools: RedisTools;
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly onProgress?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** What any snapshot of Redis says of itself. `facts`: of append-only files those of the base, because what the commands behind it come to is not known. */
export interface StoredDetails {
  readonly server: CapturedServer;
  readonly facts: RdbFacts;
  /** Of append-only files, up to the moment. */
  readonly log?: RedisLog;
  readonly sizeBytes: number;
}

/** `moment`: as `StoredRdb` has it. Throws `NO_SNAPSHOT` for a snapshot of anything else. */
export function storedDetails(snapshot: SnapshotOnCopies, moment?: Moment): StoredDetails {
  if (snapshot.kind === RDB) return snapshot.engine as unknown as RdbDetails;
  if (snapshot.kind === AOF) {
    const { server, sizeBytes, sets } = snapshot.engine as unknown as AofDetails;
    const part = choosePart({ sets }, moment);
    const facts = part?.set.base.facts ?? unknownFacts;
    return { server, sizeBytes, facts, ...(part && { log: logOf(part) }) };
  }
  return fail(
    'NO_SNAPSHOT',
    `snapshot ${snapshot.id} of '${snapshot.component}' is of kind '${snapshot.kind}', not of Redis`,
    {
      hint: `\`holdfast list ${snapshot.component}\` shows the kinds of its snapshots`,
    },
  );
}

const unknownFacts: RdbFacts = {
  ...{ format: { magic: 'unknown', version: 0 }, keys: 0, databases: [], types: {}, functions: 0 },
  ...{ modules: [], expiring: [], samples: [], missing: 'the base is no RDB' },
};

/**
 * Brings `dump.rdb` into the directory: an RDB as it was captured, or one that is made of append-only files. Gives what is in it. What is
 * right there already is kept. Throws `NO_SPACE`, `TARGET_OUTSIDE`, and as `restoreFiles` does.
 */
export async function fetchRdb(stored: StoredRdb, target: FetchTarget): Promise<RdbFacts> {
  const { vault, snapshot, from } = stored;
  const { directory, owner, onProgress, signal, tools } = target;
  const { sizeBytes, facts } = storedDetails(snapshot);
  await requireSpace(directory, sizeBytes);
  const reader = await vault.openSnapshot(snapshot.id, from);
  try {
    if (snapshot.kind === AOF) {
      return await recoverRdb({
        ...{ reader, tools, directory, signal },
        part: partOf(stored),
        ...(owner && { owner }),
      });
    }
    const entry = await rdbEntry(reader.entries(), snapshot.id);
    await reader.restoreFiles([{ entry }], {
      directory,
      signal,
      ...(owner && { owner }),
      ...(onProgress && { onProgress: ({ bytes }: { bytes: number }) => onProgress(bytes) }),
    });
    return facts;
  } finally {
    reader.close();
  }
}

function partOf({ snapshot, moment }: StoredRdb): ChosenPart {
  const part = choosePart(snapshot.engine as unknown as AofDetails, moment);
  return (
    part ?? fail('TARGET_OUTSIDE', `snapshot ${snapshot.id} has nothing of ${moment}: it lies before it, or in a gap`)
  );
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
