// Commands whose output is configuration: each run once, its output kept, its failure told.

import { fail, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { type Output, outputOf } from './output.ts';
import type { CommandSpec } from './types.ts';

const GRACE_MS = 5_000;

export interface RanCommand {
  readonly spec: CommandSpec;
  readonly output: Buffer;
  readonly exitCode?: number;
  /** In words; absent for one that succeeded. */
  readonly because?: string;
  /** The end of standard error, with nothing but known secrets taken out: not for anybody's eyes yet. */
  readonly stderrTail: string;
  readonly durationMs: number;
}

/** One after another. Throws `CANCELLED` alone: whatever else becomes of a command is a result. */
export async function runCommands(specs: readonly CommandSpec[], signal: AbortSignal): Promise<RanCommand[]> {
  const ran: RanCommand[] = [];
  for (const spec of specs) {
    ran.push(await runCommand(spec, signal));
    if (signal.aborted) fail('CANCELLED', 'the snapshot was cancelled');
  }
  return ran;
}

async function runCommand(spec: CommandSpec, signal: AbortSignal): Promise<RanCommand> {
  const [program, ...args] = spec.argv;
  const started = performance.now();
  try {
    const ended = await outputOf(program, args, {
      largestBytes: spec.largestBytes,
      deadlineMs: spec.timeoutMs,
      graceMs: GRACE_MS,
      env: spec.env,
      secrets: Object.values(spec.env),
      signal,
      ...(spec.runAs !== undefined && { runAs: spec.runAs }),
    });
    const because = failureOf(ended, spec);
    const { exitCode, stderrTail, durationMs } = ended.result;
    return {
      spec,
      output: ended.bytes,
      ...(exitCode !== undefined && { exitCode }),
      ...(because !== undefined && { because }),
      stderrTail,
      durationMs,
    };
  } catch (error) {
    if (isHoldfastError(error, 'CANCELLED')) throw error;
    const { message } = toHoldfastError(error);
    const durationMs = Math.round(performance.now() - started);
    return { spec, output: Buffer.alloc(0), because: `could not be started: ${message}`, stderrTail: '', durationMs };
  }
}

function failureOf({ result, isCut }: Output, { timeoutMs, largestBytes }: CommandSpec): string | undefined {
  if (isCut) return `printed more than ${largestBytes} bytes and was ended`;
  if (result.timedOut) return `took longer than ${timeoutMs / 1000} s and was ended`;
  if (result.signal !== undefined) return `was ended by ${result.signal}`;
  return result.exitCode === 0 ? undefined : `ended with exit status ${result.exitCode}`;
}
