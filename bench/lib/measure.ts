// Measures one command with all its descendants: wall time, CPU time, peak memory, and how quiet the machine was meanwhile.

import path from 'node:path';
import { fail } from '../../src/errors/index.ts';
import { run } from '../../src/process/index.ts';
import type { Command } from './command.ts';
import { interrupted } from './interrupt.ts';

export interface Measurement {
  readonly wallS: number;
  readonly userS: number;
  readonly systemS: number;
  /** Greatest sum over the processes at one instant (20 ms apart), at least the greatest single process's; without servers' own. */
  readonly peakRssBytes: number;
  /** CPU seconds of all other processes, of interrupts and of other guests while it ran: the measure of noise. */
  readonly foreignCpuS: number;
  /** Of the kernel's own threads: nearly all of it writes to the disk what the command has left in memory. */
  readonly kernelCpuS: number;
  /** Load average of the last minute before it started. */
  readonly loadBefore: number;
  /** CPU seconds of processes that worked for it beside it, by name. */
  readonly besideCpuS: Readonly<Record<string, number>>;
  /** CPU seconds of those aside. */
  readonly asideCpuS: number;
  /** For so long (sampled, 20 ms apart) a PostgreSQL server that the command started waited for a program it had started itself: its `restore_command`. */
  readonly waitedS: number;
}

export interface MeasureOptions {
  /** Process ids by name: their work, and that of everything below them, is no noise. */
  readonly beside?: Readonly<Record<string, number>>;
  /** Process ids: their work is neither the command's nor noise, and told apart from both. */
  readonly aside?: readonly number[];
  /** What the command leaves behind lives on; it counts up to the command's end. Default: all is waited for. */
  readonly leave?: boolean;
}

const script = path.join(import.meta.dirname, 'measure.py');
const DEADLINE_MS = 4 * 3_600_000;

/** Throws `CANCELLED`, and `CHECK_FAILED` when the command fails: the time of a failure is no result. */
export async function measure(
  python: string,
  command: Command,
  { beside = {}, aside = [], leave = false }: MeasureOptions = {},
): Promise<Measurement> {
  const others = Object.entries(beside).flatMap(([name, pid]) => ['--beside', `${name}=${pid}`]);
  const known = aside.flatMap((pid) => ['--aside', `${pid}`]);
  const words = [script, ...(leave ? ['--leave'] : []), ...others, ...known, '--', ...command.argv];
  const measured = await run(python, words, {
    cwd: command.cwd,
    env: command.env,
    deadlineMs: DEADLINE_MS,
    signal: interrupted,
  });
  const { exitCode, ...measurement } = JSON.parse(measured.stdout) as Measurement & { exitCode: number };
  if (exitCode !== 0) {
    fail('CHECK_FAILED', `'${command.argv.join(' ')}' ended with ${exitCode}: ${measured.stderrTail.trim()}`);
  }
  return measurement;
}

/** CPU seconds of the command itself. */
export function cpuS(measurement: Measurement): number {
  return measurement.userS + measurement.systemS;
}

/** CPU seconds of what worked for it. */
export function besideS(measurement: Measurement): number {
  return Object.values(measurement.besideCpuS).reduce((sum, each) => sum + each, 0);
}
