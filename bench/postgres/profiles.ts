// Holdfast's pieces of work once more, each with a look at where its CPU time goes.

import path from 'node:path';
import { type Profile, profile, profileWhile } from '../lib/profile.ts';
import { burstFor } from './log.ts';
import type { Profiles } from './result.ts';
import { backUpAndRestore, type Doing, inRepositories, quiet, type RoundsSetup, type Running } from './rounds.ts';

/** Without those that the kernel did not let `perf` look at. */
export async function profileWorks(setup: RoundsSetup): Promise<Profiles> {
  const profiles: { -readonly [Name in keyof Profiles]: Profiles[Name] } = {};
  const perf = setup.peers.perf.argv[0] as string;
  const doing: Doing = async ({ contender, place }, work) => {
    await quiet(setup);
    setup.say(`profile    ${work}`);
    const found = await profile(perf, contender.command(work, place), path.join(place.home, 'profile'));
    if (found !== undefined) profiles[work] = found;
  };
  await inRepositories(setup, 'p', async (all) => {
    await backUpAndRestore(setup, all, doing);
    for (const at of all) {
      const found = await profileReceiver(setup, at);
      if (found !== undefined) profiles.burst = found;
    }
  });
  return profiles;
}

async function profileReceiver(setup: RoundsSetup, at: Running): Promise<Profile | undefined> {
  const { contender, place, log } = at;
  const pid = log?.pids().receiver;
  if (log === undefined || pid === undefined) return undefined;
  setup.say('profile    burst');
  const perf = setup.peers.perf.argv[0] as string;
  const burst = () => burstFor(setup, { contender, place, log }, 0);
  return await profileWhile(perf, pid, path.join(place.home, 'profile'), burst);
}
