// Holdfast's pieces of work once more, each with a look at where its CPU time goes.

import path from 'node:path';
import { type Profile, profile, profileWhile } from '../lib/profile.ts';
import { durableAt } from './arrivals.ts';
import { burstFor, keepBurst, momentNow } from './log.ts';
import type { Profiles } from './result.ts';
import {
  backUpAndRestore,
  caughtUp,
  type Doing,
  inRepositories,
  proveRestored,
  quiet,
  type RoundsSetup,
  type Running,
} from './rounds.ts';

/** Without those that the kernel did not let `perf` look at. */
export async function profileWorks(setup: RoundsSetup): Promise<Profiles> {
  const profiles: { -readonly [Name in keyof Profiles]: Profiles[Name] } = {};
  const perf = setup.peers.perf.argv[0] as string;
  const doing: Doing = async ({ contender, place }, work, moment) => {
    await quiet(setup);
    setup.say(`profile    ${work}`);
    const found = await profile(perf, contender.command(work, place, moment), path.join(place.home, 'profile'));
    if (found !== undefined) profiles[work] = found;
  };
  await inRepositories(setup, 'p', async (all) => {
    await backUpAndRestore(setup, all, doing);
    for (const at of all) {
      const burst = await profileReceiver(setup, at);
      if (burst !== undefined) profiles.burst = burst;
      const moment = await momentNow(setup.server);
      await caughtUp(setup.server, [at]);
      await doing(at, 'recovery', moment.at);
      await proveRestored(setup.server, at, moment.digest);
      const kept = await profileKept(setup, at);
      if (kept !== undefined) profiles.kept = kept;
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

async function profileKept(setup: RoundsSetup, { place, log }: Running): Promise<Profile | undefined> {
  if (log === undefined) return undefined;
  await log.stop();
  const endLsn = await keepBurst(setup, 1);
  await quiet(setup);
  setup.say('profile    kept log');
  await log.start();
  const perf = setup.peers.perf.argv[0] as string;
  const taking = () => durableAt(log, endLsn);
  return await profileWhile(perf, log.pids().receiver as number, path.join(place.home, 'profile'), taking);
}
