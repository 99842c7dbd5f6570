// How often a command asks the disk to make something durable: where a machine's syncs are cheap, the number says what the time does not.

import { readFile, rm } from 'node:fs/promises';
import { run } from '../../src/process/index.ts';
import type { Command } from './command.ts';
import { interrupted } from './interrupt.ts';

const calls = 'fsync,fdatasync,syncfs,sync_file_range';

/** Runs the command once more; only the calls of interest are stopped at, but its time is no measurement. `scratch`: a file to use and remove. */
export async function countSyncs(strace: string, command: Command, scratch: string): Promise<number> {
  const args = ['--follow-forks', '--seccomp-bpf', '--trace', calls, '--summary-only', '--output', scratch];
  await run(strace, [...args, ...command.argv], { cwd: command.cwd, env: command.env, signal: interrupted });
  const summary = await readFile(scratch, 'utf8');
  await rm(scratch);
  return countInSummary(summary);
}

/** Of `strace`'s table: its fourth column, summed over the calls. */
export function countInSummary(summary: string): number {
  let count = 0;
  for (const line of summary.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (calls.split(',').includes(words.at(-1) ?? '')) count += Number(words[3]);
  }
  return count;
}
