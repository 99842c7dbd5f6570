// Servers of the bench: the one that everybody captures, and those that say whether what was restored is the same.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../../src/errors/index.ts';
import { type RunningProcess, run, start } from '../../src/process/index.ts';
import { interrupted } from '../lib/interrupt.ts';
import type { Programs } from './programs.ts';

const READY_WITHIN_MS = 600_000;
/** As many as the corpus and its tests use, and what servers have unless they are told otherwise. */
const DATABASES = 16;

export class BenchRedis {
  readonly programs: Programs;
  readonly directory: string;
  #child: RunningProcess | undefined;

  private constructor(programs: Programs, directory: string) {
    this.programs = programs;
    this.directory = directory;
  }

  /** Loads what lies in `directory` as `dump.rdb`, if there is one. Reached by its socket alone. Throws `CHECK_FAILED` when it does not start. */
  static async start(programs: Programs, directory: string): Promise<BenchRedis> {
    const server = new BenchRedis(programs, directory);
    await mkdir(directory, { recursive: true });
    await writeFile(server.#file('redis.conf'), configurationOf(directory));
    const logFile = server.#file('redis.log');
    server.#child = await start(server.bin('server'), [server.#file('redis.conf')], { logFile, cwd: directory });
    let hasEnded = false;
    void server.#child.finished.then(() => {
      hasEnded = true;
    });
    for (const giveUpAt = Date.now() + READY_WITHIN_MS; !(await answers(server)); await sleep(50)) {
      if (!hasEnded && Date.now() < giveUpAt && !interrupted.aborted) continue;
      await server.stop();
      fail('CHECK_FAILED', `the server does not start: ${(await readFile(logFile, 'utf8')).slice(-2000)}`);
    }
    return server;
  }

  bin(program: 'server' | 'cli' | 'check-rdb'): string {
    return path.join(this.programs.bindir, `${this.programs.flavour}-${program}`);
  }

  get socket(): string {
    return this.#file('s');
  }

  get url(): string {
    return `unix://${this.socket}`;
  }

  get pid(): number {
    return this.#child?.pid ?? fail('INTERNAL', 'the server of the bench does not run');
  }

  async cli(...args: readonly string[]): Promise<string> {
    return await askAt(this.bin('cli'), this.socket, args);
  }

  /** A number of `INFO`. */
  async info(name: string): Promise<number> {
    const found = new RegExp(`^${name}:(\\d+)`, 'm').exec(await this.cli('INFO', 'everything'))?.[1];
    return Number(found ?? fail('INTERNAL', `the server does not tell its '${name}'`));
  }

  /** Keys of all databases. */
  async keys(): Promise<number> {
    const found = [...(await this.cli('INFO', 'keyspace')).matchAll(/^db\d+:keys=(\d+),/gm)];
    return found.reduce((sum, [, keys]) => sum + Number(keys), 0);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await child?.stop({ signal: 'SIGKILL' });
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  #file(name: string): string {
    return path.join(this.directory, name);
  }
}

/** What a server at that socket says. Throws `CHECK_FAILED` for an error, which the program prints and ends well with. */
export async function askAt(cli: string, socket: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(cli, ['-s', socket, ...args]);
  if (/^(\(error\) )?(ERR|NOPERM|LOADING|NOAUTH|WRONGTYPE)\b/.test(stdout)) fail('CHECK_FAILED', stdout.trim());
  return stdout;
}

async function answers(server: BenchRedis): Promise<boolean> {
  return await server.cli('PING').then(
    (text) => text.startsWith('PONG'),
    () => false,
  );
}

/** Nothing happens by the clock; a replica's data is sent at once, because everybody would only wait for others. */
function configurationOf(directory: string): string {
  const lines = [
    ...['port 0', `unixsocket ${directory}/s`, `dir ${directory}`, `databases ${DATABASES}`, 'save ""'],
    ...['appendonly no', 'repl-diskless-sync yes', 'repl-diskless-sync-delay 0', 'enable-debug-command local'],
  ];
  return `${lines.join('\n')}\n`;
}
