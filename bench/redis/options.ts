// What can be said on the command line of the Redis bench.

import { fail } from '../../src/errors/index.ts';
import { type CommonOptions, commonOf, commonUsage, parseValues } from '../lib/options.ts';
import { type ServerKind, serverKinds } from './programs.ts';

/** A scale of 1 is 1 GB of the server's memory. */
export interface RedisOptions extends CommonOptions {
  readonly server: ServerKind;
}

const contenders = 'holdfast,holdfast_bgsave,redis_cli,redis_cli_unchecked,bgsave,bgsave_unchecked';

export const usage = `usage: npm run bench -- redis [options]
  --rounds N         of each piece of work by each contender; default 3
  --scale N          size of the data, 1 (the default) is 1 GB of the server's memory
  --server KIND      ${serverKinds.join(', ')}; default redis8
  --seed TEXT        of the data; default 1
  --contenders LIST  default ${contenders}
${commonUsage}`;

export function parseOptions(args: readonly string[]): RedisOptions {
  const values = parseValues(args, { server: { type: 'string' } }, usage);
  const asked = values.server ?? 'redis8';
  const server = serverKinds.find((kind) => kind === asked);
  if (server === undefined) fail('USAGE', `there is no server '${asked}'`, { hint: usage });
  return { ...commonOf(values, usage, { contenders, rounds: 3 }), server };
}
