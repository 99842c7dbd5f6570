// One round: each piece of work by every contender in turn, so that what changes on the machine meanwhile meets them all.

import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { shown } from '../lib/command.ts';
import { measure } from '../lib/measure.ts';
import { namesOf } from '../lib/names.ts';
import type { Peers } from '../lib/peers.ts';
import { settle } from '../lib/quiet.ts';
import { type Taken as AnyTaken, takenOf } from '../lib/taken.ts';
import { sizeOfTree } from '../lib/trees.ts';
import type { Contender, Place, Work } from './contender.ts';
import { digestByCopy, requireSameDigest } from './digest.ts';
import { askAt, type BenchRedis } from './server.ts';

export interface RoundsSetup {
  readonly server: BenchRedis;
  readonly peers: Peers;
  readonly contenders: readonly Contender[];
  readonly work: string;
  /** Of the server's memory. */
  readonly memoryBytes: number;
  /** Of the server's data. */
  readonly digest: string;
  readonly say: (text: string) => void;
}

/** One contender in one round. */
export interface Running {
  readonly contender: Contender;
  readonly place: Place;
}

/** What one contender's rounds gave. */
export type Taken = AnyTaken<Work>;

/** Does one command of one contender, measured or otherwise looked at; a server that it started runs when it resolves. */
export type Doing = (at: Running, work: Work) => Promise<void>;

/** Captures, and restores of them, in repositories that are made for it and removed again. */
export async function runRound(setup: RoundsSetup, name: string, doing: Doing): Promise<void> {
  const all: Running[] = [];
  for (const contender of setup.contenders) {
    const of = (part: string) => path.join(setup.work, name, contender.name, part);
    const place = { repository: of('repository'), home: of('home'), target: of('target') };
    await mkdir(path.dirname(place.target), { recursive: true });
    await contender.prepare(place);
    all.push({ contender, place });
  }
  for (const at of all) await doing(at, 'capture');
  for (const at of all.filter(({ contender }) => contender.works.includes('restore'))) {
    try {
      await doing(at, 'restore');
      await proveRestored(setup, at);
    } finally {
      await stopRestored(setup.server, at.place);
    }
    await rm(at.place.target, { recursive: true });
  }
  await rm(path.join(setup.work, name), { recursive: true });
}

/** Compares everything the restored server has with the original. Throws `CHECK_FAILED`. */
async function proveRestored({ server, work, digest }: RoundsSetup, { contender, place }: Running): Promise<void> {
  const socket = await contender.restored(place);
  requireSameDigest(digest, await digestByCopy(server, socket, path.join(work, 'judge')), contender.name);
}

/** Whoever has started it, and however the restore ended. */
async function stopRestored(server: BenchRedis, { target }: Place): Promise<void> {
  for (const name of await readdir(target).catch(() => [])) {
    const socket = path.join(target, name);
    if ((await lstat(socket)).isSocket()) await stopAt(server.bin('cli'), socket);
  }
}

/** Resolves when it is gone; a socket that nobody listens to is what is left of one. */
async function stopAt(cli: string, socket: string): Promise<void> {
  const told = await askAt(cli, socket, ['INFO', 'server']).catch(() => '');
  const pid = Number(/^process_id:(\d+)/m.exec(told)?.[1] ?? 0);
  if (pid === 0) return;
  await askAt(cli, socket, ['SHUTDOWN', 'NOSAVE']);
  while (isAlive(pid)) await sleep(20);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** `taken`: by the names of the contenders. */
export function measured(setup: RoundsSetup, taken: ReadonlyMap<string, Taken>): Doing {
  const { server, peers, memoryBytes, say } = setup;
  const python = peers.python.argv[0] as string;
  return async (at, work) => {
    const { contender, place } = at;
    const command = contender.command(work, place);
    const storedBefore = await sizeOfTree(place.repository);
    // The server's child copies what is written meanwhile, whoever restores has as much memory to touch.
    await settle(python, memoryBytes);
    const measurement = await measure(python, command, { beside: { server: server.pid }, leave: work === 'restore' });
    const into = takenOf(taken.get(contender.name) ?? {}, work);
    into.measurements.push(measurement);
    into.storedBytes.push((await sizeOfTree(place.repository)) - storedBefore);
    into.command = shown(command, shownNames(setup, at));
    into.steps.push((await contender.steps?.(place)) ?? {});
    say(`${work.padEnd(8)}  ${contender.name.padEnd(20)}  ${measurement.wallS.toFixed(2)} s`);
  };
}

function shownNames({ peers, server }: RoundsSetup, { place }: Running): Record<string, string> {
  const programs = (['server', 'cli', 'check-rdb'] as const).map((program) => server.bin(program));
  const own = Object.fromEntries(programs.map((program) => [path.basename(program), program]));
  return { ...namesOf(peers, place), ...own, $server: server.directory };
}
