// Starts one child process: its own group, tied to our life or deliberately not, with one promise for its whole end.

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { PassThrough, pipeline } from 'node:stream';
import { fail, HoldfastError } from '../errors/index.ts';
import { childEnvironment, findProgram, findUser, type SystemUser } from './environment.ts';
import { identify, sendSignal } from './identity.ts';
import { processError } from './outcome.ts';
import { Tail } from './tail.ts';
import type { ProcessResult, RunningProcess, StartOptions } from './types.ts';

const defaultGraceMs = 10_000;
const defaultTailChars = 16_384;

/**
 * Starts a program, for servers and for streams. Resolves when it runs. Throws `PROGRAM_MISSING`, `CANCELLED` when the
 * signal had fired already, `TARGET_UNFIT` for an unknown user.
 *
 * The child dies with the *thread* that started it (PR_SET_PDEATHSIG, prctl(2)) unless `outlive` is given; what the child
 * itself started dies only with the group, so a program that is killed on our death may leave grandchildren.
 */
export async function start(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<RunningProcess> {
  if (options.outlive && options.logFile === undefined) throw new TypeError("'outlive' needs 'logFile'");
  if (options.signal?.aborted) fail('CANCELLED', `'${command}' was not started because the operation was cancelled`);
  const program = await findProgram(command, options.env?.PATH);
  const user = options.runAs === undefined ? undefined : await findUser(options.runAs);
  const log = options.logFile === undefined ? undefined : await open(options.logFile, 'a', 0o640);
  try {
    const child = await spawnChild(program, args, user, log, options);
    return await supervise(child, [program, ...args].join(' '), options);
  } finally {
    await log?.close();
  }
}

/** `setpriv` sets user, groups and death signal, then becomes the program: the process id stays. */
async function wrapper(user: SystemUser | undefined, outlive: boolean): Promise<string[]> {
  const needsUser = user !== undefined && user.uid !== process.getuid?.();
  if (outlive && !needsUser) return [];
  const words = [await findProgram('setpriv')];
  // Not spawn's own uid and gid: those drop the supplementary groups, such as the one that may read a TLS key.
  if (needsUser) words.push(`--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups');
  if (!outlive) words.push('--pdeathsig=KILL');
  return [...words, '--'];
}

function streams({ terminal = false }: StartOptions, log: FileHandle | undefined): StdioOptions {
  if (terminal) return 'inherit';
  return log === undefined ? 'pipe' : ['ignore', log.fd, log.fd];
}

async function spawnChild(
  program: string,
  args: readonly string[],
  user: SystemUser | undefined,
  log: FileHandle | undefined,
  options: StartOptions,
): Promise<ChildProcess> {
  const [first = program, ...rest] = [...(await wrapper(user, options.outlive === true)), program, ...args];
  const child = spawn(first, rest, {
    cwd: options.cwd,
    env: childEnvironment(user, options.env),
    detached: options.terminal !== true,
    stdio: streams(options, log),
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      reject(new HoldfastError('PROGRAM_MISSING', `'${program}' cannot be started: ${cause.message}`, { cause }));
    });
  });
  return child;
}

async function supervise(child: ChildProcess, command: string, options: StartOptions): Promise<RunningProcess> {
  const pid = child.pid as number;
  const startedAt = performance.now();
  const graceMs = options.graceMs ?? defaultGraceMs;
  const stderr = new Tail(options.stderrTailChars ?? defaultTailChars, options.secrets);
  const why = { timedOut: false, isCanceled: false };
  const stdout = readableLater(child);
  child.stderr?.setEncoding('utf8').on('data', (text: string) => stderr.add(text));
  // A child that ends before it has read everything is told by its exit status, not by EPIPE.
  child.stdin?.on('error', () => undefined);

  const ending = new Ending(child, options.terminal ? pid : -pid);
  const onAbort = () => {
    why.isCanceled = true;
    ending.begin('SIGTERM', graceMs);
  };
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const deadline = setDeadline(options.deadlineMs, () => {
    why.timedOut = true;
    ending.begin('SIGTERM', graceMs);
  });

  const finished = new Promise<ProcessResult>((resolve) => {
    child.once('exit', () => ending.exited(graceMs));
    child.once('close', (code, signal) => {
      ending.over();
      clearTimeout(deadline);
      options.signal?.removeEventListener('abort', onAbort);
      const durationMs = Math.round(performance.now() - startedAt);
      const ended = { exitCode: code ?? undefined, signal: signal ?? undefined, overflowed: false, stdout: '' };
      resolve({ command, pid, ...ended, ...why, stderrTail: stderr.toString(), durationMs });
    });
  });
  if (options.signal?.aborted) onAbort();
  if (options.outlive) child.unref();
  return {
    pid,
    // A child that ended at once has no identity left to read, and needs none.
    identity: (await identify(pid)) ?? { pid, startTime: 'ended' },
    stdin: child.stdin ?? undefined,
    stdout,
    stderrTail: () => stderr.toString(),
    finished,
    succeeded: async () => {
      const result = await finished;
      if (result.exitCode !== 0 || result.timedOut || result.isCanceled) throw processError(result);
      return result;
    },
    stop: ({ signal = 'SIGTERM', graceMs: stopGraceMs = graceMs } = {}) => {
      if (!ending.isOver) {
        why.isCanceled = true;
        ending.begin(signal, stopGraceMs);
      }
      return finished;
    },
  };
}

/**
 * Node throws away what nobody has begun to read when the child exits (it resumes the stream), so somebody must read at
 * once. A consumer sees an error, not an end, when the stream was cut off.
 */
function readableLater(child: ChildProcess): PassThrough | undefined {
  if (child.stdout === null) return undefined;
  const output = new PassThrough();
  output.on('error', () => undefined);
  pipeline(child.stdout, output, () => undefined);
  return output;
}

function setDeadline(deadlineMs: number | undefined, act: () => void): NodeJS.Timeout | undefined {
  if (deadlineMs === undefined) return undefined;
  const timer = setTimeout(act, deadlineMs);
  timer.unref();
  return timer;
}

/** The steps by which a process group is brought to its end, each only once and never after the end. */
class Ending {
  readonly #child: ChildProcess;
  /** Negative: the process group. */
  readonly #target: number;
  #timer: NodeJS.Timeout | undefined;
  isOver = false;

  constructor(child: ChildProcess, target: number) {
    this.#child = child;
    this.#target = target;
  }

  begin(signal: NodeJS.Signals, graceMs: number): void {
    if (this.isOver) return;
    sendSignal(this.#target, signal);
    // A stopped process acts on a signal only when it goes on.
    sendSignal(this.#target, 'SIGCONT');
    this.#after(graceMs, () => this.#kill());
  }

  /** The program has ended; what it left behind in its group may still hold its streams open. */
  exited(graceMs: number): void {
    if (this.isOver || this.#timer !== undefined) return;
    this.#after(graceMs, () => sendSignal(this.#target, 'SIGKILL'));
  }

  over(): void {
    this.isOver = true;
    clearTimeout(this.#timer);
  }

  #kill(): void {
    sendSignal(this.#target, 'SIGKILL');
    // A grandchild that left the group may keep the streams open for ever; nobody waits for it.
    this.#after(1_000, () => {
      this.#child.stdout?.destroy();
      this.#child.stderr?.destroy();
      this.#child.stdin?.destroy();
    });
  }

  #after(delayMs: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, delayMs);
  }
}
