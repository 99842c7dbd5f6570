// A server of Redis 7, Redis 8 or Valkey that a test has for itself, on loopback and a socket, stopped and removed at the end of the test.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type RunningProcess, run, start } from '../../src/process/index.ts';
import { RedisConnection } from '../../src/redis/connection/index.ts';
import { ready } from '../../src/redis/throwaway/server.ts';
import { keepLog } from './keep-log.ts';
import { freePort } from './scratch-postgres.ts';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait-for.ts';

export const redisKinds = ['redis7', 'redis8', 'valkey'] as const;
export type RedisKind = (typeof redisKinds)[number];

export interface RedisOptions {
  readonly kind?: RedisKind;
  /** Lines of redis.conf, such as `appendonly yes`. */
  readonly settings?: readonly string[];
}

export interface TestRedis {
  readonly kind: RedisKind;
  /** Directory of the programs. */
  readonly programs: string;
  readonly flavour: 'redis' | 'valkey';
  readonly dataDirectory: string;
  readonly configuration: string;
  readonly socket: string;
  readonly port: number;
  /** As the default user, by the socket. */
  readonly url: string;
  readonly logFile: string;
  connect(url?: string): Promise<RedisConnection>;
  /** Prints what the command line tool prints. */
  cli(...args: readonly string[]): Promise<string>;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  readonly pid: () => number | undefined;
}

/** The same rule for the cache as in scripts/set-up/cache.mjs. */
export function redisPrograms(kind: RedisKind): string {
  const userCache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  const ofUser = process.getuid?.() === 0 ? '/var/cache/holdfast' : path.join(userCache, 'holdfast');
  return path.join(process.env.HOLDFAST_CACHE || ofUser, `${kind}-debian`, 'usr/bin');
}

type Scope = { after(fn: () => Promise<void>): void };

/** Writes to it without waiting for further replicas; keeps nothing by itself unless told to. */
export async function testRedis(t: Scope, options: RedisOptions = {}): Promise<TestRedis> {
  const { kind = 'redis7', settings = [] } = options;
  const flavour = kind === 'valkey' ? 'valkey' : 'redis';
  const programs = redisPrograms(kind);
  const removals: (() => Promise<void>)[] = [];
  const directory = await temporaryDirectory({ after: (removal) => void removals.push(removal) });
  const dataDirectory = path.join(directory, 'data');
  await mkdir(dataDirectory);
  const [port, socket] = [await freePort(), path.join(directory, 's')];
  const [configuration, logFile] = [path.join(directory, 'redis.conf'), path.join(directory, 'log')];
  const lines = [
    ...['bind 127.0.0.1', `port ${port}`, `unixsocket ${socket}`, `dir ${dataDirectory}`, 'save ""'],
    ...['repl-diskless-sync-delay 0', 'enable-debug-command local', ...settings],
  ];
  await writeFile(configuration, `${lines.join('\n')}\n`);
  await keepLog(logFile);
  let child: RunningProcess | undefined;
  const url = `unix://${socket}`;
  const server: TestRedis = {
    ...{ kind, programs, flavour, dataDirectory, configuration, socket, port, url, logFile },
    connect: (as = url) => RedisConnection.open({ url: as }),
    cli: async (...args) => (await run(path.join(programs, `${flavour}-cli`), ['-s', socket, ...args])).stdout,
    start: async () => {
      child = await start(path.join(programs, `${flavour}-server`), [configuration], { logFile });
      let hasEnded = false;
      void child.finished.then(() => {
        hasEnded = true;
      });
      const connection = await waitFor('the server to answer', async () => {
        if (hasEnded) throw new Error(`the server does not start: ${await readFile(logFile, 'utf8')}`);
        return await ready(url);
      });
      connection.close();
    },
    stop: async (signal = 'SIGTERM') => {
      await child?.stop({ signal });
      child = undefined;
    },
    pid: () => child?.pid,
  };
  t.after(async () => {
    await server.stop('SIGKILL');
    for (const removal of removals) await removal();
  });
  await server.start();
  return server;
}
