// Holdfast's pieces of work once more, each with a look at where its CPU time goes.

import path from 'node:path';
import { type Profile, profile } from '../lib/profile.ts';
import type { Work } from './contender.ts';
import { backUpAndRestore, begin, end, quiet, type RoundsSetup } from './rounds.ts';

/** Without those that the kernel did not let `perf` look at. */
export async function profileWorks(setup: RoundsSetup): Promise<Partial<Record<Work, Profile>>> {
  const profiles: Partial<Record<Work, Profile>> = {};
  const all = await begin(setup, 'p');
  const perf = setup.peers.perf.argv[0] as string;
  await backUpAndRestore(setup, all, async ({ contender, place }, work) => {
    await quiet(setup);
    setup.say(`profile    ${work}`);
    const found = await profile(perf, contender.command(work, place), path.join(place.home, 'profile'));
    if (found !== undefined) profiles[work] = found;
  });
  await end(setup, 'p', all);
  return profiles;
}
