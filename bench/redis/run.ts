// `npm run bench -- redis`: Holdfast and the server's own tools on one server, doing the same work in one run.

import path from 'node:path';
import { fail } from '../../src/errors/index.ts';
import { describeCommit, describeMachine } from '../lib/machine.ts';
import { ensurePeers, type Peers } from '../lib/peers.ts';
import { inRounds, turnOf } from '../lib/rounds.ts';
import { NOISY_SHARE } from '../lib/statistics.ts';
import { measurementsOf } from '../lib/taken.ts';
import { makeWorkDirectory } from '../lib/work-directory.ts';
import type { Contender } from './contender.ts';
import { bgsave, bgsaveUnchecked } from './contenders/bgsave.ts';
import { holdfast, holdfastBgsave } from './contenders/holdfast.ts';
import { redisCli, redisCliUnchecked } from './contenders/redis-cli.ts';
import { digestOf } from './digest.ts';
import { expectedBytes, loadKeys } from './load.ts';
import type { RedisOptions } from './options.ts';
import { profileWorks } from './profiles.ts';
import { findPrograms } from './programs.ts';
import type { RedisResult } from './result.ts';
import { measured, type RoundsSetup, runRound, type Taken } from './rounds.ts';
import { BenchRedis } from './server.ts';
import { summarizeContender } from './summaries.ts';

const makers: Readonly<Record<string, (peers: Peers, server: BenchRedis) => Contender | Promise<Contender>>> = {
  holdfast,
  holdfast_bgsave: holdfastBgsave,
  redis_cli: redisCli,
  redis_cli_unchecked: redisCliUnchecked,
  bgsave,
  bgsave_unchecked: bgsaveUnchecked,
};

export async function runRedis(options: RedisOptions): Promise<RedisResult> {
  const { scale, say, seed, rounds } = options;
  for (const name of options.contenders) {
    const known = Object.keys(makers).join(', ');
    if (makers[name] === undefined) fail('USAGE', `there is no contender '${name}', there are ${known}`);
  }
  const peers = ensurePeers();
  const commit = await describeCommit();
  const programs = await findPrograms(options.server);
  const work = await makeWorkDirectory(options.work, neededBytes(scale, options.contenders.length));
  const server = await BenchRedis.start(programs, path.join(work, 'server'));
  try {
    const contenders: Contender[] = [];
    for (const name of options.contenders)
      contenders.push(await (makers[name] as (typeof makers)[string])(peers, server));
    const version = `${programs.flavour} ${programs.version}`;
    say(`loading about ${(expectedBytes(scale) / 1e9).toFixed(2)} GB into ${version}`);
    const corpus = await loadKeys(server, seed, scale);
    const { memoryBytes } = corpus;
    const setup = { server, peers, contenders, work, memoryBytes, digest: await digestOf(server), say };
    const machine = describeMachine();
    const taken = await runRounds(setup, rounds, machine.cores);
    const own = contenders.find(({ name }) => name === 'holdfast');
    const profiles = own === undefined ? {} : await profileWorks({ ...setup, contenders: [own] });
    const results = contenders.map((each) =>
      summarizeContender(each, taken.get(each.name) as Taken, machine.cores, rounds),
    );
    const summaries = results.flatMap((each) => Object.values(each.works).map(({ summary }) => summary));
    return {
      ...{ bench: 'redis', at: new Date().toISOString(), commit, machine, version, corpus, rounds },
      ...{ contenders: results, profiles },
      isNoisy: summaries.some(({ foreignShare }) => foreignShare > NOISY_SHARE),
    };
  } finally {
    await server.stop();
  }
}

async function runRounds(setup: RoundsSetup, rounds: number, cores: number): Promise<ReadonlyMap<string, Taken>> {
  const { contenders, say } = setup;
  const taken = new Map(contenders.map(({ name }): [string, Taken] => [name, {}]));
  const measurements = () => [...taken.values()].flatMap(measurementsOf);
  const doRound = async (round: number) => {
    say(`round ${round + 1}`);
    const turn = { ...setup, contenders: turnOf(contenders, round) };
    await runRound(turn, `${round}`, measured(turn, taken));
  };
  await inRounds(rounds, cores, doRound, measurements);
  return taken;
}

/** The server's own file, what each stores and spools of one round, one restored file, and the copy that is compared. */
function neededBytes(scale: number, contenders: number): number {
  return expectedBytes(scale) * (3 + 2 * contenders);
}
