// `npm run bench -- vault`: Holdfast's vault and its peers, doing the same work on the same files in one run.

import path from 'node:path';
import { fail } from '../../src/errors/index.ts';
import { type CorpusPlan, planCorpus } from '../corpus/plan.ts';
import { writeCorpus } from '../corpus/write.ts';
import { describeCommit, describeMachine } from '../lib/machine.ts';
import { ensurePeers, type Peers } from '../lib/peers.ts';
import { NOISY_SHARE } from '../lib/statistics.ts';
import { makeWorkDirectory } from '../lib/work-directory.ts';
import { type Contender, works } from './contender.ts';
import { borg } from './contenders/borg.ts';
import { holdfast } from './contenders/holdfast.ts';
import { restic } from './contenders/restic.ts';
import { tar } from './contenders/tar.ts';
import type { BenchOptions } from './options.ts';
import { profileWorks } from './profiles.ts';
import type { ContenderResult, VaultResult } from './result.ts';
import { runRounds } from './rounds.ts';

const makers: Readonly<Record<string, (peers: Peers) => Contender | Promise<Contender>>> = {
  holdfast,
  restic,
  borg,
  tar,
};

export const contenderNames = Object.keys(makers);

export async function runVault(options: BenchOptions): Promise<VaultResult> {
  const peers = ensurePeers();
  const commit = await describeCommit();
  const contenders = await makeContenders(options.contenders, peers);
  const plan = planCorpus(options.seed, options.scale);
  const work = await makeWorkDirectory(options.work, neededBytes(plan, contenders.length, options.rounds));
  const source = path.join(work, 'source');
  options.say(`writing ${plan.files.length} files, ${(plan.sizeBytes / 1e9).toFixed(2)} GB, to ${source}`);
  writeCorpus(plan, source);
  const machine = describeMachine();
  const { rounds, say } = options;
  const setup = { peers, contenders, plan, source, work, rounds, cores: machine.cores, say };
  const results = await runRounds(setup);
  const own = contenders.find(({ name }) => name === 'holdfast');
  return {
    bench: 'vault',
    at: new Date().toISOString(),
    commit,
    machine,
    corpus: { seed: plan.seed, scale: plan.scale, files: plan.files.length, sizeBytes: plan.sizeBytes },
    rounds,
    isNoisy: results.some(isNoisy),
    contenders: results,
    profiles: own === undefined ? {} : await profileWorks(setup, own),
  };
}

async function makeContenders(names: readonly string[], peers: Peers): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const name of names) {
    const make =
      makers[name] ?? fail('USAGE', `there is no contender '${name}', there are ${contenderNames.join(', ')}`);
    contenders.push(await make(peers));
  }
  return contenders;
}

function isNoisy(contender: ContenderResult): boolean {
  return works.some((work) => contender.works[work].summary.foreignShare > NOISY_SHARE);
}

/** The corpus, for each contender one repository at a time and a restored tree of every round. */
function neededBytes(plan: CorpusPlan, contenders: number, rounds: number): number {
  return plan.sizeBytes * (1 + contenders * (rounds + 1) + 2) * 1.05;
}
