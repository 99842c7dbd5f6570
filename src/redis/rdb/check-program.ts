// redis-check-rdb beside a stream, or over a file: a second opinion, by those who wrote the format.

import type { Writable } from 'node:stream';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { type ProcessResult, type RunningProcess, start, tryRun } from '../../process/index.ts';
import type { RedisTools } from '../tools.ts';

const SAYS_WHOLE = /RDB looks OK!/;
const KEYS_READ = /\[info\] (\d+) keys read/;
const MOST_OUTPUT_CHARS = 65_536;

export interface CheckedRdb {
  /** As the program counted them. */
  readonly keys: number;
}

/** Fed while an RDB streams by. It reads a pipe, because a child's input here is a socket, which cannot be opened by name. */
export class RdbCheck {
  readonly #child: RunningProcess;
  readonly #input: Writable;
  readonly #output: Promise<string>;

  private constructor(child: RunningProcess) {
    this.#child = child;
    this.#input = child.stdin as Writable;
    this.#output = textOf(child);
  }

  static async start({ checkRdb }: RedisTools, signal: AbortSignal): Promise<RdbCheck> {
    const command = ['-c', 'cat | "$0" /dev/stdin', checkRdb];
    return new RdbCheck(await start('sh', command, { signal }));
  }

  /** Resolves when the chunk is its giver's again; a program that has ended already says why at the end. */
  async push(chunk: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.#input.write(chunk, () => resolve()));
  }

  /** Throws `BACKUP_INVALID`. */
  async end(): Promise<CheckedRdb> {
    this.#input.end();
    const [result, output] = await Promise.all([this.#child.finished, this.#output]);
    return judge(result, output);
  }

  async stop(): Promise<void> {
    await this.#child.stop({ signal: 'SIGKILL' });
  }
}

/** The same over a file. Throws `BACKUP_INVALID`, `CANCELLED`. */
export async function checkRdbFile({ checkRdb }: RedisTools, file: string, signal: AbortSignal): Promise<CheckedRdb> {
  const result = await tryRun(checkRdb, [file], { signal });
  return judge(result, result.stdout);
}

/** Of a check that goes on beside something else. */
export interface CheckUnderWay {
  /** Aborted as soon as the file has failed, or as the whole is cancelled. */
  readonly signal: AbortSignal;
  /** Throws as `checkRdbFile`. */
  readonly passed: Promise<CheckedRdb>;
}

/**
 * Does `work` while the file is checked: both read it, each on a core of its own. `work` waits for `passed` before anything that cannot be taken
 * back. What the check finds is thrown first: of a damaged file a server says less, and may say it sooner.
 */
export async function duringCheck<T>(
  tools: RedisTools,
  file: string,
  signal: AbortSignal,
  work: (check: CheckUnderWay) => Promise<T>,
): Promise<T> {
  const [over, failed] = [new AbortController(), new AbortController()];
  const passed = checkRdbFile(tools, file, AbortSignal.any([signal, over.signal]));
  passed.catch(() => failed.abort());
  try {
    const result = await work({ signal: AbortSignal.any([signal, failed.signal]), passed });
    await passed;
    return result;
  } catch (error) {
    if (failed.signal.aborted || isHoldfastError(error, 'RECOVERY_FAILED', 'CHECK_FAILED')) await passed;
    throw error;
  } finally {
    over.abort();
    await passed.catch(() => undefined);
  }
}

function judge(result: ProcessResult, output: string): CheckedRdb {
  if (result.isCanceled) fail('CANCELLED', 'the check of the RDB was cancelled');
  const keys = KEYS_READ.exec(output)?.[1];
  if (result.exitCode === 0 && SAYS_WHOLE.test(output) && keys !== undefined) return { keys: Number(keys) };
  const words = [...output.split('\n'), ...result.stderrTail.split('\n')]
    .filter((line) => line.trim() !== '')
    .slice(-3);
  return fail(
    'BACKUP_INVALID',
    `the RDB did not pass its check: ${words.join('; ') || `exit status ${result.exitCode}`}`,
  );
}

async function textOf({ stdout }: RunningProcess): Promise<string> {
  let text = '';
  for await (const chunk of stdout ?? []) text = (text + String(chunk)).slice(-MOST_OUTPUT_CHARS);
  return text;
}
