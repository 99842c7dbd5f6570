// One piece of work as it is measured: from the same quiet start, with the server's share of it told apart.

import { shown } from '../lib/command.ts';
import { repositoryRoot } from '../lib/machine.ts';
import { measure } from '../lib/measure.ts';
import type { Peers } from '../lib/peers.ts';
import type { Work } from './contender.ts';
import { type Doing, quiet, type RoundsSetup, type Running, storedIn, type Taken, type TakenWork } from './rounds.ts';

/** Work that ends with a server that answers, and goes on answering. */
export const leavesServer = (work: Work) => work === 'restore' || work === 'recovery';

export function measured(setup: RoundsSetup, taken: ReadonlyMap<string, Taken>): Doing {
  const { server, peers, say } = setup;
  return async (at, work, moment) => {
    const { contender, place } = at;
    const command = contender.command(work, place, moment);
    const storedBefore = await storedIn(at);
    await quiet(setup);
    const beside = { server: server.pid, ...at.log?.pids() };
    const measurement = await measure(peers.python.argv[0] as string, command, { beside, leave: leavesServer(work) });
    const into = takenOf(taken, contender.name, work);
    into.measurements.push(measurement);
    into.storedBytes.push((await storedIn(at)) - storedBefore);
    into.command = shown(command, namesOf(setup, at));
    if (work !== 'verify') into.steps.push((await contender.steps?.(place)) ?? {});
    say(`${work.padEnd(11)}  ${contender.name.padEnd(13)}  ${measurement.wallS.toFixed(2)} s`);
  };
}

function takenOf(taken: ReadonlyMap<string, Taken>, name: string, work: Work): TakenWork {
  const works = taken.get(name)?.works ?? {};
  works[work] ??= { measurements: [], storedBytes: [], steps: [], command: '' };
  return works[work];
}

function namesOf({ peers, server }: RoundsSetup, { place }: Running): Record<string, string> {
  const names: Record<string, string> = { $holdfast: repositoryRoot, node: process.execPath };
  for (const [name, peer] of Object.entries(peers as Peers)) names[name] = peer.argv[0] as string;
  for (const name of ['pg_basebackup', 'pg_combinebackup', 'pg_ctl', 'psql']) names[name] = server.bin(name);
  for (const [name, directory] of Object.entries(place)) names[`$${name}`] = directory;
  return { ...names, $server: server.directory };
}
