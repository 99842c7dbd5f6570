// What all servers of the sandbox have in common: started with a log file, ready only when they answer, stopped for good.

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../errors/index.ts';
import { type ProcessIdentity, type RunningProcess, start, stopByPid } from '../process/index.ts';

/** Only reached by a server that hangs: a busy machine may need a minute. */
const readyLimitMs = 180_000;
const logTailLines = 15;

export interface ServerOptions {
  /** Directory of its own; made when it is not there. */
  readonly dir: string;
  /** Default: `server.log` in `dir`. */
  readonly logFile?: string;
  /** Goes on when this process ends; otherwise it dies with it. Default false. */
  readonly outlive?: boolean;
  /** More variables for the server, such as a mark by which it is found again. */
  readonly env?: Readonly<Record<string, string>>;
  /** Told of the process as soon as it exists, before it answers. */
  readonly onSpawn?: (identity: ProcessIdentity) => Promise<void>;
}

/** A server of the sandbox. What identifies it outlives this process. */
export interface SandboxServer {
  readonly identity: ProcessIdentity;
  readonly logFile: string;
  /** Returns when the process has ended. Harmless when it has ended already. */
  stop(): Promise<void>;
}

export interface ServerStart {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly runAs?: string | undefined;
  readonly outlive?: boolean | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly onSpawn?: ((identity: ProcessIdentity) => Promise<void>) | undefined;
  /** Rejects until the server answers. */
  readonly probe: () => Promise<unknown>;
}

/** Starts a server and waits until it answers. Throws with the end of its log when it ends or hangs instead; then it is stopped. */
export async function startServer(server: ServerStart): Promise<RunningProcess> {
  const { name, command, args, logFile, runAs, outlive = false, env = {}, probe } = server;
  const child = await start(command, args, { logFile, outlive, env, ...(runAs === undefined ? {} : { runAs }) });
  await server.onSpawn?.(child.identity);
  const outcome = { ended: false };
  void child.finished.then(() => {
    outcome.ended = true;
  });
  const giveUpAt = performance.now() + readyLimitMs;
  for (;;) {
    const problem = await probe().then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    if (problem === undefined && !outcome.ended) return child;
    if (outcome.ended || performance.now() > giveUpAt) {
      await child.stop({ signal: 'SIGKILL' });
      const code = outcome.ended ? 'PROCESS_FAILED' : 'PROCESS_TIMEOUT';
      const what = outcome.ended ? 'ended while it started' : `does not answer (${problem?.message})`;
      throw new HoldfastError(code, `${name} ${what}; its log '${logFile}' ends with\n${await logTail(logFile)}`, {
        ...(problem === undefined ? {} : { cause: problem }),
      });
    }
    await sleep(50);
  }
}

async function logTail(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch((error: Error) => error.message);
  return text.trimEnd().split('\n').slice(-logTailLines).join('\n');
}

/** Stops a server whether or not it is our child. */
export async function stopServer(
  identity: ProcessIdentity,
  options: { readonly signal: NodeJS.Signals; readonly graceMs: number },
): Promise<void> {
  await stopByPid(identity, { ...options, group: true });
}
