// A server that exists to load one RDB or append-only directory and to be asked about it: reachable by a private socket alone.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesText } from '../../domain/size.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { type RunningProcess, start } from '../../process/index.ts';
import { RedisConnection } from '../connection/index.ts';
import type { RedisTools } from '../tools.ts';
import { RDB_FILE } from '../types.ts';

export interface ThrowawayOptions {
  readonly tools: RedisTools;
  /** Absolute; holds `dump.rdb`, or the append-only directory that is named. */
  readonly directory: string;
  readonly appendOnly?: { readonly directory: string; readonly file: string };
  /** Default 16. */
  readonly databases?: number;
  /** What the data took in memory where it comes from. */
  readonly memoryBytes?: number;
  readonly signal: AbortSignal;
}

export interface Throwaway {
  readonly url: string;
  readonly connection: RedisConnection;
}

const FEWEST_DATABASES = 16;
const POLL_MS = 50;
const LOG_LINES = 8;
/** Where memory runs out, the kernel ends it before production. */
const ENDED_FIRST = 'oom-score-adj absolute\noom-score-adj-values 1000 1000 1000\n';

/** Runs `work` with a server that has loaded everything, and ends it. Throws `NO_SPACE` for memory, `RECOVERY_FAILED` when it does not load. */
export async function withThrowaway<T>(
  options: ThrowawayOptions,
  work: (throwaway: Throwaway) => Promise<T>,
): Promise<T> {
  await requireMemory(options.memoryBytes ?? 0);
  // The path of a socket is short (unix(7)): what the data lies in may be too deep for it.
  const place = await mkdtemp(path.join(os.tmpdir(), 'holdfast-redis-'));
  const socket = path.join(place, 's');
  const logFile = path.join(place, 'log');
  const file = path.join(place, 'redis.conf');
  await writeFile(file, harmlessConfiguration({ ...options, socket }) + ENDED_FIRST, { mode: 0o600 });
  const child = await start(options.tools.server, [file], { logFile, signal: options.signal, cwd: place });
  try {
    const url = `unix://${socket}`;
    const connection = await loaded({ child, url, logFile, signal: options.signal });
    try {
      return await work({ url, connection });
    } finally {
      connection.close();
    }
  } finally {
    await child.stop({ signal: 'SIGKILL' });
    await rm(place, { recursive: true, force: true });
  }
}

/** None of production's settings: it writes nothing, listens to nobody, has no primary and runs no modules. */
export function harmlessConfiguration(options: {
  readonly directory: string;
  readonly socket: string;
  readonly databases?: number;
  readonly appendOnly?: ThrowawayOptions['appendOnly'];
}): string {
  const { directory, socket, databases = FEWEST_DATABASES, appendOnly } = options;
  const lines = [
    'port 0',
    `unixsocket ${quoted(socket)}`,
    'unixsocketperm 700',
    `dir ${quoted(directory)}`,
    `dbfilename ${RDB_FILE}`,
    `databases ${Math.max(FEWEST_DATABASES, databases)}`,
    'save ""',
    'daemonize no',
    'supervised no',
    'logfile ""',
    'maxmemory 0',
    'stop-writes-on-bgsave-error no',
    'repl-diskless-sync yes',
    'repl-diskless-sync-delay 0',
    ...(appendOnly === undefined
      ? ['appendonly no']
      : [
          'appendonly yes',
          `appenddirname ${quoted(appendOnly.directory)}`,
          `appendfilename ${quoted(appendOnly.file)}`,
          'aof-load-truncated no',
          'auto-aof-rewrite-percentage 0',
        ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** As redis.conf reads strings (sds.c, sdssplitargs). */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

interface Starting {
  readonly child: RunningProcess;
  readonly url: string;
  readonly logFile: string;
  readonly signal: AbortSignal;
}

async function loaded(starting: Starting): Promise<RedisConnection> {
  const outcome = { hasEnded: false };
  void starting.child.finished.then(() => {
    outcome.hasEnded = true;
  });
  for (;;) {
    if (starting.signal.aborted) fail('CANCELLED', 'loading the snapshot was cancelled');
    if (outcome.hasEnded) {
      fail('RECOVERY_FAILED', `the server does not load the snapshot: ${await lastLines(starting.logFile)}`, {
        hint: 'does it hold data of modules, or is it of a later version than the programs of this host?',
      });
    }
    const connection = await ready(starting.url);
    if (connection !== undefined) return connection;
    await sleep(POLL_MS);
  }
}

/** Not there yet, or still loading. */
export async function ready(url: string): Promise<RedisConnection | undefined> {
  let connection: RedisConnection | undefined;
  try {
    connection = await RedisConnection.open({ url });
    await connection.call('see whether it has loaded', 'PING');
    return connection;
  } catch (error) {
    connection?.close();
    if (isHoldfastError(error, 'REDIS_UNREACHABLE')) return undefined;
    throw error;
  }
}

export async function lastLines(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch((error: Error) => error.message);
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\d+:[A-Z] .*? [.\-*#] /, ''));
  return lines.slice(-LOG_LINES).join('; ');
}

/** Throws `NO_SPACE` when data of this size does not fit into the memory that is free. */
export async function requireMemory(neededBytes: number): Promise<void> {
  const availableBytes = await availableMemoryBytes();
  if (neededBytes <= availableBytes) return;
  fail('NO_SPACE', `the data takes ${bytesText(neededBytes)} of memory, ${bytesText(availableBytes)} are available`, {
    hint: 'restore beside without starting it, or on a host with more memory',
    details: { neededBytes, availableBytes },
  });
}

/** Of this host, as the kernel estimates it (proc(5)). */
export async function availableMemoryBytes(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8');
  return Number(/^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
