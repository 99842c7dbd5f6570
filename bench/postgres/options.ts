// What can be said on the command line of the PostgreSQL bench.

import { fail } from '../../src/errors/index.ts';
import { type CommonOptions, commonOf, commonUsage, parseValues, whole } from '../lib/options.ts';

/** A scale of 1 is a database of 2 GB. */
export interface PostgresOptions extends CommonOptions {
  readonly major: number;
}

const OLDEST_MAJOR = 15;

export const usage = `usage: npm run bench -- postgres [options]
  --rounds N         of each piece of work by each contender; default 3
  --scale N          size of the database, 1 (the default) is 2 GB
  --major N          of PostgreSQL; default 18
  --seed TEXT        of the database; default 1
  --contenders LIST  default holdfast,holdfast_stream,pgbackrest,pg_basebackup
${commonUsage}`;

export function parseOptions(args: readonly string[]): PostgresOptions {
  const values = parseValues(args, { major: { type: 'string' } }, usage);
  const major = whole('major', values.major ?? '18', usage);
  if (major < OLDEST_MAJOR) fail('USAGE', `PostgreSQL ${major} is older than ${OLDEST_MAJOR}`, { hint: usage });
  return {
    ...commonOf(values, usage, { contenders: 'holdfast,holdfast_stream,pgbackrest,pg_basebackup', rounds: 3 }),
    major,
  };
}
