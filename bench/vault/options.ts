// What can be said on the command line of the vault's bench.

import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fail } from '../../src/errors/index.ts';

export interface BenchOptions {
  readonly seed: string;
  /** 1 is 2 GB in 40,000 files. */
  readonly scale: number;
  readonly rounds: number;
  readonly contenders: readonly string[];
  /** Holdfast alone on 1, 4 and 16 times as much, instead of the comparison. */
  readonly growth: boolean;
  /** Directory on the disk to measure; what is made in it is removed at the end. */
  readonly work: string;
  readonly results: string;
  readonly say: (text: string) => void;
}

export const usage = `usage: npm run bench -- vault [options]
  --rounds N         of each piece of work by each contender; default 3 (with --growth: 1)
  --scale N          size of the corpus, 1 (the default) is 2 GB in 40,000 files
  --seed TEXT        of the corpus; default 1
  --contenders LIST  default holdfast,restic,borg,tar
  --growth           Holdfast alone on 1, 4 and 16 times the scale
  --work DIR         where to work, on the disk to be measured; default the temporary directory
  --results DIR      where the report goes; default bench/results`;

const text = { type: 'string' } as const;

export function parseOptions(args: readonly string[]): BenchOptions {
  let values: Record<string, string | boolean | undefined>;
  try {
    const options = { rounds: text, scale: text, seed: text, contenders: text, work: text, results: text };
    ({ values } = parseArgs({ args: [...args], options: { ...options, growth: { type: 'boolean' } } }));
  } catch (cause) {
    return fail('USAGE', cause instanceof Error ? cause.message : String(cause), { hint: usage, cause });
  }
  const growth = values.growth === true;
  const rounds = positive('rounds', values.rounds ?? (growth ? '1' : '3'));
  if (!Number.isInteger(rounds)) fail('USAGE', `'--rounds ${values.rounds}' is not a whole number`, { hint: usage });
  return {
    seed: String(values.seed ?? '1'),
    scale: positive('scale', values.scale ?? '1'),
    rounds,
    contenders: String(values.contenders ?? 'holdfast,restic,borg,tar').split(','),
    growth,
    work: path.resolve(String(values.work ?? os.tmpdir())),
    results: path.resolve(String(values.results ?? path.join(import.meta.dirname, '..', 'results'))),
    say: (line) => void process.stderr.write(`bench  ${line}\n`),
  };
}

function positive(name: string, value: string | boolean): number {
  const number = Number(value);
  if (!(number > 0 && Number.isFinite(number))) {
    fail('USAGE', `'--${name} ${value}' is not a number greater than 0`, { hint: usage });
  }
  return number;
}
