// What was measured on what: the machine, and the state of the sources.

import os from 'node:os';
import path from 'node:path';
import { run } from '../../src/process/index.ts';

export const repositoryRoot = path.resolve(import.meta.dirname, '..', '..');

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
}

export function describeMachine(): Machine {
  return {
    cores: os.availableParallelism(),
    processor: os.cpus()[0]?.model.trim() ?? 'unknown',
    memoryBytes: os.totalmem(),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
  };
}

/** The commit, and whether there was anything beside it. */
export async function describeCommit(): Promise<string> {
  const git = async (...args: string[]) => (await run('git', args, { cwd: repositoryRoot })).stdout.trim();
  const changes = await git('status', '--porcelain');
  return `${await git('rev-parse', '--short', 'HEAD')}${changes === '' ? '' : ' with uncommitted changes'}`;
}
