// Runs one program to its end and gives back what it printed: the usual way to use a tool.

import type { Readable, Writable } from 'node:stream';
import { processError } from './outcome.ts';
import { start } from './start.ts';
import type { ProcessResult, RunningProcess, RunOptions } from './types.ts';

const defaultMaxStdoutBytes = 16 * 1024 * 1024;

/**
 * Runs a program and insists on success: throws `PROCESS_FAILED`, `PROCESS_TIMEOUT`, `CANCELLED` or `PROGRAM_MISSING`,
 * the facts in `details`. An exit status other than those in `okExitCodes` is a failure.
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<ProcessResult> {
  const result = await tryRun(command, args, options);
  const { okExitCodes = [0] } = options;
  const wasEnded = result.timedOut || result.isCanceled || result.overflowed || result.exitCode === undefined;
  if (wasEnded || !okExitCodes.includes(result.exitCode)) throw processError(result);
  return result;
}

/** Like `run` for a caller that decides by itself: however the program ends is a result. Still throws when it cannot be started. */
export async function tryRun(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ProcessResult> {
  const child = await start(command, args, options);
  const collecting = collect(child, options.maxStdoutBytes ?? defaultMaxStdoutBytes);
  (child.stdin as Writable).end(options.input);
  const [result, output] = await Promise.all([child.finished, collecting]);
  const isCanceled = result.isCanceled && !output.overflowed;
  return { ...result, isCanceled, ...output };
}

async function collect(child: RunningProcess, limitBytes: number): Promise<{ stdout: string; overflowed: boolean }> {
  const stdout = child.stdout as Readable;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let overflowed = false;
  stdout.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes <= limitBytes) chunks.push(chunk);
    else if (!overflowed) {
      overflowed = true;
      void child.stop();
    }
  });
  // 'close' comes after the end and also when the stream was cut off.
  await new Promise((resolve) => stdout.once('close', resolve));
  return { stdout: Buffer.concat(chunks).toString('utf8'), overflowed };
}
