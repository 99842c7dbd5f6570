// Starts, finds and stops the server of a restore; it outlives the process that started it.

import { access, appendFile, open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../../errors/index.ts';
import { findUser, findWorkers, start, tryRun } from '../../process/index.ts';
import { findPostmaster, type Postmaster } from './postmaster.ts';
import { heartbeatLimitSeconds } from './restore-command.ts';

export interface ServerPlace {
  readonly binDirectory: string;
  readonly runAs?: string;
  readonly dataDirectory: string;
  readonly configFile: string;
  readonly logFile: string;
  /** It must reach somebody; default false: where the system lets us, it has no network. */
  readonly network?: boolean;
}

/** The command line prefix that leaves the network, where the system lets us; it shows in the log of the run. */
export async function isolation(): Promise<'network namespace' | 'none'> {
  if (process.getuid?.() !== 0) return 'none';
  const answer = await tryRun('unshare', ['--net', '--', 'true'], { deadlineMs: 10_000 }).catch(() => undefined);
  return answer?.exitCode === 0 ? 'network namespace' : 'none';
}

/** In the log of a server, in front of everything that this start of it has to say. */
export const startLine = '--- started by holdfast ---';

/** All that it is started with: by them it is known again. */
export function serverArguments({ dataDirectory, configFile }: Pick<ServerPlace, 'dataDirectory' | 'configFile'>) {
  return ['-D', dataDirectory, '-c', `config_file=${configFile}`];
}

/** Starts the server unless it runs already. Returns without waiting for it to be ready. Throws `PROCESS_TIMEOUT`. */
export async function startServer(place: ServerPlace): Promise<Postmaster | undefined> {
  const running = await findPostmaster(place.dataDirectory);
  if (running !== undefined) return running;
  await untilLeft(place.dataDirectory);
  const server = path.join(place.binDirectory, 'postgres');
  await access(server);
  const args = serverArguments(place);
  const user = place.runAs === undefined ? undefined : await findUser(place.runAs);
  const options = { outlive: true, logFile: place.logFile, cwd: '/' };
  // Whoever looks for the reason of its end may be another process, and the log has the words of earlier starts.
  await appendFile(place.logFile, `${startLine}\n`, { mode: 0o640 });
  if (place.network === true || (await isolation()) === 'none') {
    await start(server, args, { ...options, ...(user === undefined ? {} : { runAs: user.name }) });
  } else {
    const become = user ? ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--'] : [];
    const env = user ? { HOME: user.home, USER: user.name, LOGNAME: user.name } : {};
    await start('unshare', ['--net', '--', ...become, server, ...args], { ...options, env });
  }
  return undefined;
}

/**
 * The children of a server that was killed live on until they notice, and no other starts while they hold its memory. One of
 * them may wait for a log file that its restore command is asked for; that command, too, would put the file where the next server
 * looks for another. It ends when it has the file, or when nobody fetches any more.
 */
async function untilLeft(dataDirectory: string): Promise<void> {
  for (const giveUpAt = performance.now() + leftWithinMs; ; await sleep(LAST_PAUSE_MS)) {
    const { pids } = await findWorkers(dataDirectory, /^(postgres|restore-command)$/);
    if (pids.length === 0) return;
    if (performance.now() < giveUpAt) continue;
    fail(
      'PROCESS_TIMEOUT',
      `processes ${pids.join(', ')} of a server that was killed still work in '${dataDirectory}'`,
      {
        hint: 'look at what they wait for; once they have ended, start again',
      },
    );
  }
}

export interface StopServerRequest {
  readonly binDirectory: string;
  readonly runAs?: string;
  readonly dataDirectory: string;
  readonly mode?: 'fast' | 'immediate';
  readonly deadlineMs?: number;
}

const defaultStopMs = 10 * 60_000;
/** Twice as long as a restore command waits for somebody who fetches. */
const leftWithinMs = 2 * heartbeatLimitSeconds * 1000;

/** Stops the server of a directory and proves that it is gone. Fine when none runs. */
export async function stopServer(request: StopServerRequest): Promise<void> {
  const { binDirectory, runAs, dataDirectory, mode = 'fast', deadlineMs = defaultStopMs } = request;
  if ((await findPostmaster(dataDirectory)) === undefined) return;
  const args = ['-D', dataDirectory, '-m', mode, '-t', String(Math.ceil(deadlineMs / 1000)), '-w', 'stop'];
  const user = runAs === undefined ? {} : { runAs };
  const stopping = await tryRun(path.join(binDirectory, 'pg_ctl'), args, {
    ...user,
    cwd: '/',
    deadlineMs: deadlineMs + 30_000,
  });
  const left = await findPostmaster(dataDirectory);
  if (left !== undefined) {
    fail('PROCESS_TIMEOUT', `the server on '${dataDirectory}' (process ${left.identity.pid}) does not stop`, {
      hint: `look at it: ${stopping.stderrTail.trim() || stopping.stdout.trim()}`,
    });
  }
}

/** What is there in no time is seen at once, what takes long is asked for less often. */
const FIRST_PAUSE_MS = 10;
const LAST_PAUSE_MS = 100;

/** Waits until a condition holds, the server dies, or the signal fires. */
export async function until<T>(
  probe: () => Promise<T | undefined>,
  { signal, limitMs, what }: { signal?: AbortSignal; limitMs: number; what: string },
): Promise<T> {
  const giveUpAt = performance.now() + limitMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 1.3)) {
    if (signal?.aborted) fail('CANCELLED', `waiting for ${what} was cancelled`);
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() > giveUpAt)
      fail('PROCESS_TIMEOUT', `waited ${Math.round(limitMs / 1000)} s in vain for ${what}`);
    await sleep(pauseMs);
  }
}

/** The end of the server's log, for the person who has to know why it ended. */
export async function logTail(logFile: string, maxBytes = 4096): Promise<string> {
  const handle = await open(logFile, 'r').catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, maxBytes);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8');
  } finally {
    await handle.close();
  }
}
