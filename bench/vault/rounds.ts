// The rounds: each piece of work by every contender in turn, so that what changes on the machine meanwhile meets them all.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { CorpusPlan } from '../corpus/plan.ts';
import { changeCorpus, revertCorpus } from '../corpus/write.ts';
import { shown } from '../lib/command.ts';
import { countSyncs } from '../lib/fsyncs.ts';
import { measure } from '../lib/measure.ts';
import { namesOf } from '../lib/names.ts';
import type { Peers } from '../lib/peers.ts';
import { settle } from '../lib/quiet.ts';
import { inRounds, turnOf } from '../lib/rounds.ts';
import { measurementsOf, summarizeWork, type Taken, type TakenWork, takenOf, type WorkResult } from '../lib/taken.ts';
import { forgetTree, requireSameTree, sizeOfTree } from '../lib/trees.ts';
import { type Contender, type Place, type Work, works } from './contender.ts';
import type { ContenderResult } from './result.ts';

export interface RoundsSetup {
  readonly peers: Peers;
  readonly contenders: readonly Contender[];
  readonly plan: CorpusPlan;
  /** The corpus as planned. */
  readonly source: string;
  readonly work: string;
  readonly rounds: number;
  readonly cores: number;
  readonly say: (text: string) => void;
}

export async function runRounds(setup: RoundsSetup): Promise<ContenderResult[]> {
  const taken = new Map(setup.contenders.map((contender): [Contender, Taken<Work>] => [contender, {}]));
  const measurements = () => [...taken.values()].flatMap(measurementsOf);
  await inRounds(setup.rounds, setup.cores, (round) => runRound(setup, round, taken), measurements);
  const results: ContenderResult[] = [];
  for (const [contender, done] of taken) {
    const { name, version, options } = contender;
    const syncs = await syncsOfFirst(setup, contender);
    results.push({ name, version, options, works: summarizeWorks(done, setup), syncs });
  }
  return results;
}

function summarizeWorks(taken: Taken<Work>, { cores, rounds }: RoundsSetup): Record<Work, WorkResult> {
  const of = (work: Work): WorkResult => summarizeWork(takenOf(taken, work), cores, rounds);
  return {
    first: of('first'),
    unchanged: of('unchanged'),
    changed: of('changed'),
    restore: of('restore'),
    check: of('check'),
  };
}

async function runRound(setup: RoundsSetup, round: number, taken: ReadonlyMap<Contender, Taken<Work>>): Promise<void> {
  const places = new Map<Contender, Place>();
  for (const contender of setup.contenders) places.set(contender, await makePlace(setup, contender, `${round}`));
  for (const work of works) {
    if (work === 'changed') changeCorpus(setup.plan, setup.source);
    for (const contender of turnOf(setup.contenders, round)) {
      const into = takenOf(taken.get(contender) ?? {}, work);
      await takeOne(setup, contender, work, places.get(contender) as Place, into);
      const wall = into.measurements.at(-1)?.wallS.toFixed(2);
      setup.say(`round ${round + 1}  ${work.padEnd(9)}  ${contender.name.padEnd(8)}  ${wall} s`);
    }
  }
  revertCorpus(setup.plan, setup.source);
  // Restored trees stay: a file made soon after many were deleted costs more.
  for (const { repository } of places.values()) await rm(repository, { recursive: true });
}

async function takeOne(setup: RoundsSetup, contender: Contender, work: Work, place: Place, into: TakenWork) {
  const command = contender.command(work, place);
  const storedBefore = await sizeOfTree(place.repository);
  await settle(setup.peers.python.argv[0] as string, 2 * setup.plan.sizeBytes);
  into.measurements.push(await measure(setup.peers.python.argv[0] as string, command));
  into.storedBytes.push((await sizeOfTree(place.repository)) - storedBefore);
  into.command = shown(command, namesOf(setup.peers, place));
  if (work !== 'restore') return;
  await requireSameTree(setup.source, place.target);
  await forgetTree(setup.peers.python.argv[0] as string, place.target);
}

export async function makePlace(setup: RoundsSetup, contender: Contender, name: string): Promise<Place> {
  const folder = path.join(setup.work, name, contender.name);
  const of = (part: string) => path.join(folder, part);
  const place = { source: setup.source, repository: of('repository'), home: of('home'), target: of('target') };
  for (const directory of [place.repository, place.home, place.target]) await mkdir(directory, { recursive: true });
  await contender.prepare(place);
  return place;
}

async function syncsOfFirst(setup: RoundsSetup, contender: Contender): Promise<number> {
  const place = await makePlace(setup, contender, 'syncs');
  const strace = setup.peers.strace.argv[0] as string;
  const count = await countSyncs(strace, contender.command('first', place), path.join(place.home, 'syncs'));
  await rm(place.repository, { recursive: true });
  return count;
}
