// The directory in which a plan looks at a dump's list and globals, in clear: gone with the plan, or with the next one where its maker died.

import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../../errors/index.ts';
import { identify } from '../../../process/index.ts';

/** By its name the next plan knows who made it: `list-<process id>-<start ticks>-<random>`. */
const ownName = /^list-(\d+)-(\d+)-/;

/** Several plans may be made at once. */
export async function withListPlace<T>(parent: string, work: (directory: string) => Promise<T>): Promise<T> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await removeLeft(parent);
  const { pid, ticks } = await whoWeAre();
  const directory = await mkdtemp(path.join(parent, `list-${pid}-${ticks}-`));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function whoWeAre(): Promise<{ readonly pid: number; readonly ticks: string }> {
  const { pid } = process;
  const own = (await identify(pid)) ?? fail('INTERNAL', 'this process is not among those that run');
  return { pid, ticks: own.startTime.slice(own.startTime.lastIndexOf('/') + 1) };
}

/** Of processes that are gone; one of another form was left by an earlier version, whose processes are gone too. */
async function removeLeft(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith('list-') || (await isMade(name))) continue;
    await rm(path.join(parent, name), { recursive: true, force: true });
  }
}

async function isMade(name: string): Promise<boolean> {
  const [, pid, ticks] = ownName.exec(name) ?? [];
  if (pid === undefined) return false;
  const there = await identify(Number(pid));
  return there?.startTime.endsWith(`/${ticks}`) === true;
}
