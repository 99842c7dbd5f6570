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
  /** Greatest sum over the processes at one instant (20 ms apart), at least the greatest single process's. */
  readonly peakRssBytes: number;
  /** CPU seconds of everybody else while it ran: the measure of noise. */
  readonly foreignCpuS: number;
  /** Load average of the last minute before it started. */
  readonly loadBefore: number;
}

const script = path.join(import.meta.dirname, 'measure.py');
const DEADLINE_MS = 4 * 3_600_000;

/** Throws `CANCELLED`, and `CHECK_FAILED` when the command fails: the time of a failure is no result. */
export async function measure(python: string, command: Command): Promise<Measurement> {
  const measured = await run(python, [script, ...command.argv], {
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
