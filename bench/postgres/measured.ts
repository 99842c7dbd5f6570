// One piece of work as it is measured: from the same quiet start, with the server's share of it told apart.

import { shown } from '../lib/command.ts';
import { measure } from '../lib/measure.ts';
import { namesOf } from '../lib/names.ts';
import { takenOf } from '../lib/taken.ts';
import type { Work } from './contender.ts';
import { type Doing, quiet, type RoundsSetup, type Running, storedIn, type Taken } from './rounds.ts';

/** Work that ends with a server that answers, and goes on answering. */
export const leavesServer = (work: Work) => work === 'restore' || work === 'recovery';

/** `all` take the log, whoever is measured. */
export function measured(setup: RoundsSetup, all: readonly Running[], taken: ReadonlyMap<string, Taken>): Doing {
  const { server, peers, say } = setup;
  return async (at, work, moment) => {
    const { contender, place } = at;
    const command = contender.command(work, place, moment);
    const storedBefore = await storedIn(at);
    await quiet(setup);
    const beside = { server: server.pid, ...at.log?.pids() };
    const aside = all.filter((each) => each !== at).flatMap(({ log }) => Object.values(log?.pids() ?? {}));
    const options = { beside, aside, leave: leavesServer(work) };
    const measurement = await measure(peers.python.argv[0] as string, command, options);
    const into = takenOf(taken.get(contender.name)?.works ?? {}, work);
    into.measurements.push(measurement);
    into.storedBytes.push((await storedIn(at)) - storedBefore);
    into.command = shown(command, shownNames(setup, at));
    if (work !== 'verify' && work !== 'decrypt') into.steps.push((await contender.steps?.(place)) ?? {});
    say(`${work.padEnd(11)}  ${contender.name.padEnd(13)}  ${measurement.wallS.toFixed(2)} s`);
  };
}

function shownNames({ peers, server }: RoundsSetup, { place }: Running): Record<string, string> {
  const programs = ['pg_basebackup', 'pg_combinebackup', 'pg_ctl', 'psql'];
  const own = Object.fromEntries(programs.map((name) => [name, server.bin(name)]));
  return { ...namesOf(peers, place), ...own, $server: server.directory };
}
