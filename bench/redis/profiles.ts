// Holdfast's pieces of work once more, each with a look at where its CPU time goes.

import path from 'node:path';
import { type Profile, profile } from '../lib/profile.ts';
import { settle } from '../lib/quiet.ts';
import type { Work } from './contender.ts';
import type { Profiles } from './result.ts';
import { type Doing, type RoundsSetup, runRound } from './rounds.ts';

/** Without those that the kernel did not let `perf` look at. */
export async function profileWorks(setup: RoundsSetup): Promise<Profiles> {
  const profiles: Partial<Record<Work, Profile>> = {};
  const { flavour } = setup.server.programs;
  const others = [`${flavour}-server`, `${flavour}-check-rdb`, 'cat'];
  const doing: Doing = async ({ contender, place }, work) => {
    await settle(setup.peers.python.argv[0] as string, setup.memoryBytes);
    setup.say(`profile   ${work}`);
    const perf = setup.peers.perf.argv[0] as string;
    const found = await profile(perf, contender.command(work, place), path.join(place.home, 'profile'), others);
    if (found !== undefined) profiles[work] = found;
  };
  await runRound(setup, 'p', doing);
  return profiles;
}
