// From a snapshot of append-only files to an RDB of a moment: cut at the last whole command, loaded into a throwaway server, received from it.

import { mkdir, open, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import type { FileToRestore, SnapshotReader } from '../../vault/types.ts';
import { checkRdbFile } from '../rdb/check-program.ts';
import { type RdbFacts, RdbWalk } from '../rdb/index.ts';
import { synchronise } from '../sync/index.ts';
import { withThrowaway } from '../throwaway/server.ts';
import type { RedisTools } from '../tools.ts';
import { RDB_FILE } from '../types.ts';
import { CommandWalk } from './command-walk.ts';
import type { CapturedFile, ChosenPart } from './details.ts';
import { writeManifest } from './manifest.ts';

export interface RecoverOptions {
  readonly reader: SnapshotReader;
  readonly part: ChosenPart;
  readonly tools: RedisTools;
  /** Absolute; exists. The RDB is `dump.rdb` in it, and nothing else is left. */
  readonly directory: string;
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly signal: AbortSignal;
}

/** Where append-only files are fetched to, below the directory. */
export const RECOVERY = '.aof';
const APPEND_FILE = 'recovered.aof';
const READ_BYTES = 1024 * 1024;

/** Gives what is in the RDB. Throws `OBJECT_DAMAGED`, `RECOVERY_FAILED`, `NO_SPACE`. */
export async function recoverRdb(options: RecoverOptions): Promise<RdbFacts> {
  const { directory, tools, signal, owner } = options;
  const work = path.join(directory, RECOVERY);
  await rm(work, { recursive: true, force: true });
  await mkdir(path.join(work, 'appendonly'), { recursive: true, mode: 0o700 });
  try {
    await fetchSet(options, work);
    const appendOnly = { directory: 'appendonly', file: APPEND_FILE };
    const memory = options.part.set.base.facts?.usedMemoryBytes;
    const server = { tools, directory: work, appendOnly, signal, ...(memory !== undefined && { memoryBytes: memory }) };
    return await withThrowaway(server, async ({ url }) => {
      const file = path.join(directory, RDB_FILE);
      const facts = await receive(url, `${file}.part`, signal);
      await checkRdbFile(tools, `${file}.part`, signal);
      if (owner !== undefined) await chownFile(`${file}.part`, owner);
      await rename(`${file}.part`, file);
      return facts;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function fetchSet({ reader, part, signal }: RecoverOptions, work: string): Promise<void> {
  const { set, untilSeconds } = part;
  const wanted = new Map([set.base, ...set.incrementals].map((file) => [`${set.id}/${file.name}`, file]));
  const files: FileToRestore[] = [];
  for await (const entry of reader.entries()) {
    const file = wanted.get(entry.path);
    if (file !== undefined) files.push({ entry, path: path.posix.join('appendonly', file.name) });
  }
  if (files.length !== wanted.size) fail('OBJECT_DAMAGED', `the snapshot lacks files of its own set '${set.id}'`);
  await reader.restoreFiles(files, { directory: work, signal });
  const used: CapturedFile[] = [set.base];
  for (const file of part.isBaseAlone ? [] : set.incrementals) {
    used.push(file);
    if (await cut(path.join(work, 'appendonly', file.name), untilSeconds)) break;
  }
  await writeFile(path.join(work, 'appendonly', `${APPEND_FILE}.manifest`), writeManifest(used));
}

/** True when the moment lies in this file: the next ones are behind it. */
async function cut(file: string, untilSeconds: number | undefined): Promise<boolean> {
  const walk = new CommandWalk(untilSeconds);
  const handle = await open(file);
  try {
    for (let at = 0; ; ) {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      walk.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
  const { wholeBytes, damage } = walk.end();
  if (damage !== undefined)
    fail('OBJECT_DAMAGED', `'${path.basename(file)}' is damaged behind byte ${wholeBytes}: ${damage}`);
  await truncate(file, wholeBytes);
  return walk.isOver;
}

async function receive(url: string, file: string, signal: AbortSignal): Promise<RdbFacts> {
  const walk = new RdbWalk();
  const incoming = await synchronise({ url }, { signal });
  const handle = await open(file, 'w', 0o600);
  try {
    for await (const chunk of incoming.bytes) {
      walk.push(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
  } finally {
    incoming.close();
    await handle.close();
  }
  return walk.end();
}

async function chownFile(file: string, { uid, gid }: { readonly uid: number; readonly gid: number }): Promise<void> {
  const handle = await open(file);
  try {
    await handle.chown(uid, gid);
  } finally {
    await handle.close();
  }
}
