// What can be said on the command line of the vault's bench.

import { type CommonOptions, commonOf, commonUsage, parseValues } from '../lib/options.ts';

/** A scale of 1 is 2 GB in 40,000 files. */
export interface BenchOptions extends CommonOptions {
  /** Holdfast alone on 1, 4 and 16 times as much, instead of the comparison. */
  readonly growth: boolean;
}

export const usage = `usage: npm run bench -- vault [options]
  --rounds N         of each piece of work by each contender; default 3 (with --growth: 1)
  --scale N          size of the corpus, 1 (the default) is 2 GB in 40,000 files
  --seed TEXT        of the corpus; default 1
  --contenders LIST  default holdfast,restic,borg,tar
  --growth           Holdfast alone on 1, 4 and 16 times the scale
${commonUsage}`;

export function parseOptions(args: readonly string[]): BenchOptions {
  const values = parseValues(args, { growth: { type: 'boolean' } }, usage);
  const growth = values.growth === true;
  const defaults = { contenders: 'holdfast,restic,borg,tar', rounds: growth ? 1 : 3 };
  return { ...commonOf(values, usage, defaults), growth };
}
