// A snapshot in a directory of its own, proven there, with a configuration that harms nobody; started on demand.

import { chmod, chown, mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Moment } from '../../domain/moment.ts';
import { fail } from '../../errors/index.ts';
import {
  findUser,
  findWorkers,
  identify,
  type ProcessIdentity,
  type RunningProcess,
  start,
  stopByPid,
} from '../../process/index.ts';
import { isThere, syncDirectory } from '../../system/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import { RECOVERY } from '../aof/recover.ts';
import { RedisConnection } from '../connection/index.ts';
import { duringCheck } from '../rdb/check-program.ts';
import type { RdbFacts } from '../rdb/index.ts';
import { type Comparison, compareWithFacts } from '../throwaway/compare.ts';
import { databasesOf, proveRdb, requireSame } from '../throwaway/prove.ts';
import { harmlessConfiguration, lastLines, ready, requireMemory } from '../throwaway/server.ts';
import { findTools, type RedisTools } from '../tools.ts';
import { AOF, RDB_FILE } from '../types.ts';
import { SERVER } from './directory-in-use.ts';
import { fetchRdb, storedDetails } from './fetch.ts';

export interface RestoreBesideOptions {
  readonly vault: Vault;
  readonly snapshot: SnapshotOnCopies;
  readonly from?: string;
  readonly moment?: Moment;
  /** Names the mark that says whose the directory is. */
  readonly run: string;
  /** Absolute; empty, absent, or of an earlier attempt of the same run. */
  readonly directory: string;
  readonly programs?: string;
  /** User that the directory belongs to and that the server runs as; default ourselves. */
  readonly runAs?: string;
  readonly start: boolean;
  readonly onProgress?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

export interface RestoredBeside {
  readonly directory: string;
  readonly configuration: string;
  readonly comparison: Comparison;
  /** Of the server that was started; it outlives us. */
  readonly server?: { readonly url: string; readonly identity: ProcessIdentity };
}

const CONFIGURATION = 'redis.conf';
const LOG = 'redis.log';
const SOCKET = 'redis.sock';
/** unix(7), less the final zero. */
const LONGEST_SOCKET = 107;
const POLL_MS = 50;

/** Throws `TARGET_UNFIT`, `NO_SPACE`, `TOOL_VERSION`, `BACKUP_INVALID`, `RECOVERY_FAILED`, `CHECK_FAILED`. */
export async function restoreBeside(options: RestoreBesideOptions): Promise<RestoredBeside> {
  const { snapshot, run, directory, signal, programs, runAs } = options;
  const { server } = storedDetails(snapshot);
  const tools = await findTools(server, programs === undefined ? {} : { programs });
  const socket = path.join(directory, SOCKET);
  if (options.start) requireShort(socket);
  await requireOwn(directory, run);
  const owner = runAs === undefined ? undefined : await findUser(runAs);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  await writeFile(path.join(directory, markOf(run)), '');
  await syncDirectory(directory);
  // An RDB that is made of append-only files is made anew, with other keys over by then: what has loaded the one before is not compared with it.
  if (snapshot.kind === AOF) await stopBeside(directory, run);
  const facts = await fetchRdb(options, { directory, tools, signal, ...(owner && { owner }), ...told(options) });
  const configuration = path.join(directory, CONFIGURATION);
  await writeFile(configuration, harmlessConfiguration({ directory, socket, databases: databasesOf(facts) }), {
    mode: 0o600,
  });
  if (owner) for (const place of [directory, configuration]) await chown(place, owner.uid, owner.gid);
  await syncDirectory(directory);
  const made = { directory, configuration };
  if (!options.start) return { ...made, comparison: await proveRdb({ tools, directory, facts, signal }) };
  const request = { tools, directory, configuration, socket, facts, signal };
  return { ...made, ...(await proveStarted({ ...request, ...(runAs !== undefined && { runAs }) })) };
}

/**
 * The server that stays is the one that is proven, so that the data is loaded once; what is not as it was captured does not stay. Throws as
 * `proveRdb`.
 */
async function proveStarted(request: StartRequest): Promise<Required<Pick<RestoredBeside, 'comparison' | 'server'>>> {
  const { tools, directory, facts, signal } = request;
  let started: RestoredBeside['server'];
  try {
    return await duringCheck(tools, path.join(directory, RDB_FILE), signal, async (check) => {
      const server = await startBeside({ ...request, signal: check.signal });
      started = server;
      return { comparison: await compareAt(server.url, facts), server };
    });
  } catch (error) {
    if (started !== undefined) await stopByPid(started.identity);
    throw error;
  }
}

async function compareAt(url: string, facts: RdbFacts): Promise<Comparison> {
  const connection = await RedisConnection.open({ url });
  try {
    const comparison = await compareWithFacts(connection, facts, { isFresh: true });
    requireSame(comparison);
    return comparison;
  } finally {
    connection.close();
  }
}

const told = ({ onProgress }: RestoreBesideOptions) => (onProgress ? { onProgress } : {});

/** A name that says whose the directory is: a later attempt of the same restore finds it, and nobody else's undoing touches what is there. */
const markOf = (run: string) => `.holdfast-${run}`;

/** Whether the run has made something there that was not undone. */
export async function isMarked(directory: string, run: string): Promise<boolean> {
  return await isThere(path.join(directory, markOf(run)));
}

/** Whose restore has made the directory; undefined: nobody's. */
export async function markedRun(directory: string): Promise<string | undefined> {
  return (await readdir(directory)).map((name) => /^\.holdfast-(restore-[0-9a-f]{8})$/.exec(name)?.[1]).find(Boolean);
}

/** Empty, or of an earlier attempt of the same run. */
export function isOwn(names: readonly string[], run: string): boolean {
  if (names.length === 0) return true;
  return names.includes(markOf(run)) && names.every((name) => isMade(name) || name.startsWith('.'));
}

/** What a restore makes here, whole or in part, but for its mark. */
function isMade(name: string): boolean {
  if ([RDB_FILE, CONFIGURATION, LOG, SOCKET, RECOVERY, `${RDB_FILE}.part`].includes(name)) return true;
  return name.startsWith(`${RDB_FILE}.`) && name.endsWith('.holdfast-part');
}

async function requireOwn(directory: string, run: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    return fail('TARGET_UNFIT', `'${directory}' cannot be looked at: ${error.code}`, { cause: error });
  });
  if (isOwn(names, run)) return;
  fail('TARGET_UNFIT', `'${directory}' is not empty`, { hint: 'choose a directory that is empty or does not exist' });
}

function requireShort(socket: string): void {
  if (Buffer.byteLength(socket) <= LONGEST_SOCKET) return;
  fail('TARGET_UNFIT', `'${socket}' is too long for the name of a socket`, {
    hint: `choose a directory with a shorter path: a socket's has at most ${LONGEST_SOCKET} bytes`,
  });
}

/** Ends the server, if it runs, and removes what the restore has made there: by its names alone. May be called again after it was killed. */
export async function undoBeside(directory: string, run: string): Promise<void> {
  // Without its mark the run has made nothing there, and whatever runs there is somebody else's.
  if (!(await isMarked(directory, run))) return;
  await stopBeside(directory, run);
  const made = (await readdir(directory)).filter(isMade);
  for (const name of [...made, markOf(run)]) await rm(path.join(directory, name), { recursive: true, force: true });
  await rmdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error;
  });
}

/** False when none was running, or none of this run. */
export async function stopBeside(directory: string, run: string): Promise<boolean> {
  if (!(await isMarked(directory, run))) return false;
  const servers = await serversBeside(directory);
  for (const identity of servers) await stopByPid(identity);
  return servers.length > 0;
}

/** The server that was left in the directory of a restore, if it runs. */
export async function runningBeside(directory: string): Promise<ProcessIdentity | undefined> {
  return (await serversBeside(directory))[0];
}

/** By where they work, not by whether they answer: one that still loads does not. Those that we may not look at are of others. */
async function serversBeside(directory: string): Promise<ProcessIdentity[]> {
  if (!(await isThere(directory))) return [];
  const { pids } = await findWorkers(directory, SERVER);
  const identities = await Promise.all(pids.map((pid) => identify(pid)));
  return identities.filter((identity) => identity !== undefined);
}

interface StartRequest {
  readonly tools: RedisTools;
  readonly directory: string;
  readonly configuration: string;
  readonly socket: string;
  readonly facts: RdbFacts;
  readonly runAs?: string;
  readonly signal: AbortSignal;
}

/** A server of an earlier attempt is taken over when it has loaded; one that has not yet is ended: nobody knows how far it is. */
async function startBeside(
  request: StartRequest,
): Promise<{ readonly url: string; readonly identity: ProcessIdentity }> {
  const { tools, directory, configuration, socket, facts, runAs, signal } = request;
  const url = `unix://${socket}`;
  const [before, ...more] = await serversBeside(directory);
  if (before !== undefined && more.length === 0 && (await answers(url))) return { url, identity: before };
  for (const identity of before === undefined ? [] : [before, ...more]) await stopByPid(identity);
  await requireMemory(facts.usedMemoryBytes ?? 0);
  const logFile = path.join(directory, LOG);
  const child = await start(tools.server, [configuration], {
    logFile,
    outlive: true,
    cwd: directory,
    ...(runAs !== undefined && { runAs }),
  });
  try {
    await untilReady(child, { url, logFile, signal });
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { url, identity: child.identity };
}

async function untilReady(
  child: RunningProcess,
  { url, logFile, signal }: { readonly url: string; readonly logFile: string; readonly signal: AbortSignal },
): Promise<void> {
  const outcome = { hasEnded: false };
  void child.finished.then(() => {
    outcome.hasEnded = true;
  });
  for (; !(await answers(url)); await sleep(POLL_MS)) {
    if (outcome.hasEnded) fail('RECOVERY_FAILED', `the server does not start: ${await lastLines(logFile)}`);
    if (signal.aborted) fail('CANCELLED', 'starting the server was cancelled');
  }
}

async function answers(url: string): Promise<boolean> {
  const connection = await ready(url);
  connection?.close();
  return connection !== undefined;
}
