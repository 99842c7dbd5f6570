// `npm run bench -- postgres`: Holdfast and its peers on one server, doing the same work in one run.

import { chmod } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { fail } from '../../src/errors/index.ts';
import { describeCommit, describeMachine } from '../lib/machine.ts';
import { ensurePeers, type Peers } from '../lib/peers.ts';
import { inRounds, turnOf } from '../lib/rounds.ts';
import { NOISY_SHARE } from '../lib/statistics.ts';
import { measurementsOf } from '../lib/taken.ts';
import { makeWorkDirectory } from '../lib/work-directory.ts';
import type { Contender } from './contender.ts';
import { holdfast, holdfastStream } from './contenders/holdfast.ts';
import { pgBasebackup } from './contenders/pg-basebackup.ts';
import { pgbackrest } from './contenders/pgbackrest.ts';
import { expectedBytes, loadDatabase } from './load.ts';
import { loadSeconds, loads } from './loads.ts';
import { burstBytes, burstsAndRecovery } from './log.ts';
import { measured } from './measured.ts';
import type { PostgresOptions } from './options.ts';
import { profileWorks } from './profiles.ts';
import type { Burst, Load, PostgresResult } from './result.ts';
import { backUpAndRestore, inRepositories, type RoundsSetup, type Taken, transactionsOf } from './rounds.ts';
import { BenchServer } from './server.ts';
import { counted, noiseOf, summarizeContender } from './summaries.ts';

const makers: Readonly<Record<string, (peers: Peers, server: BenchServer) => Contender | Promise<Contender>>> = {
  holdfast,
  holdfast_stream: holdfastStream,
  pgbackrest,
  pg_basebackup: pgBasebackup,
};

export async function runPostgres(options: PostgresOptions): Promise<PostgresResult> {
  const { scale, say, seed, rounds, major } = options;
  for (const name of options.contenders) {
    const known = Object.keys(makers).join(', ');
    if (makers[name] === undefined) fail('USAGE', `there is no contender '${name}', there are ${known}`);
  }
  const peers = ensurePeers();
  const commit = await describeCommit();
  const work = await makeWorkDirectory(options.work, neededBytes(scale, options.contenders.length));
  // The server's user goes in and out.
  await chmod(work, 0o755);
  const server = await BenchServer.make(
    path.join(work, 'server'),
    major,
    await freePort(),
    peers.python.argv[0] as string,
  );
  try {
    const contenders: Contender[] = [];
    for (const name of options.contenders)
      contenders.push(await (makers[name] as (typeof makers)[string])(peers, server));
    say(`loading about ${(expectedBytes(scale) / 1e9).toFixed(2)} GB into PostgreSQL ${server.version}`);
    const corpus = await loadDatabase(server, seed, scale);
    const setup = { server, peers, contenders, work, scale, sizeBytes: corpus.sizeBytes, say };
    const { taken, unburdened } = await runRounds(setup, rounds);
    const own = contenders.find(({ name }) => name === 'holdfast');
    const profiles = own === undefined ? {} : await profileWorks({ ...setup, contenders: [own] });
    const machine = describeMachine();
    const { cores } = machine;
    const results = contenders.map((each) => summarizeContender(each, taken.get(each.name) as Taken, cores, rounds));
    const all = [...taken.values()].reduce((sum, { bursts, loads }) => sum + bursts.length + loads.length, 0);
    const counting = results.reduce((sum, { bursts, loads }) => sum + bursts.length + loads.length, 0);
    const alone = counted(unburdened, cores, rounds);
    const setAside = all - counting + unburdened.length - alone.length;
    const noise = noiseOf({ contenders: results, unburdened: alone, machine, setAside });
    return {
      ...{ bench: 'postgres', at: new Date().toISOString(), commit, machine, version: server.version, corpus, rounds },
      ...{
        transactions: transactionsOf(scale),
        loadS: loadSeconds(scale),
        contenders: results,
        unburdened: alone,
        profiles,
        setAside,
      },
      isNoisy: noise.some(({ foreignShare }) => foreignShare > NOISY_SHARE),
    };
  } finally {
    await server.stop();
  }
}

async function runRounds(setup: RoundsSetup, rounds: number) {
  const { contenders, say } = setup;
  const taken = new Map(contenders.map(({ name }): [string, Taken] => [name, { works: {}, bursts: [], loads: [] }]));
  const unburdened: Load[] = [];
  const doRound = async (round: number) => {
    say(`round ${round + 1}`);
    const turn = { ...setup, contenders: turnOf(contenders, round) };
    await inRepositories(turn, `${round}`, async (all) => {
      const doing = measured(turn, all, taken);
      await backUpAndRestore(turn, all, doing);
      await burstsAndRecovery(turn, all, taken, doing);
      await loads(turn, round, all, taken, unburdened);
    });
  };
  const ofLog = (each: readonly (Burst | Load)[]) => each.map(({ measurement }) => measurement);
  const measurements = () => [
    ofLog(unburdened),
    ...[...taken.values()].flatMap(({ works, bursts, loads: loaded }) => [
      ...measurementsOf(works),
      ...[bursts, loaded].filter((each) => each.length > 0).map(ofLog),
    ]),
  ];
  await inRounds(rounds, describeMachine().cores, doRound, measurements);
  return { taken, unburdened };
}

/** The cluster, what each stores of it and of the log, one restored cluster with its parts, and log that is kept. */
function neededBytes(scale: number, contenders: number): number {
  const log = burstBytes(scale);
  return expectedBytes(scale) * (1 + 0.6 * contenders + 3) + log * (2 * contenders + 4);
}

async function freePort(): Promise<number> {
  const probe = net.createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
