// One contender's pieces of work once more, each with a look at where its CPU time goes.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { changeCorpus, revertCorpus } from '../corpus/write.ts';
import { type Profile, profile } from '../lib/profile.ts';
import { type Contender, type Work, works } from './contender.ts';
import { makePlace, type RoundsSetup } from './rounds.ts';

export type Profiles = Readonly<Partial<Record<Work, Profile>>>;

/** Without those that the kernel did not let `perf` look at. */
export async function profileWorks(setup: RoundsSetup, contender: Contender): Promise<Profiles> {
  const place = await makePlace(setup, contender, 'profile');
  const profiles: Partial<Record<Work, Profile>> = {};
  for (const work of works) {
    if (work === 'changed') changeCorpus(setup.plan, setup.source);
    setup.say(`profile    ${work.padEnd(9)}  ${contender.name}`);
    const perf = setup.peers.perf.argv[0] as string;
    const found = await profile(perf, contender.command(work, place), path.join(place.home, 'profile'));
    if (found !== undefined) profiles[work] = found;
  }
  revertCorpus(setup.plan, setup.source);
  await rm(place.repository, { recursive: true });
  return profiles;
}
