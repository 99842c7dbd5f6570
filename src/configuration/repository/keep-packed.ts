// Keeps the repository to few files: what each commit brings becomes one pack with all the rest, now and then; nothing is removed that the new one does not hold.

import { readdir, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { processError } from '../../process/index.ts';
import { syncDirectory } from '../../system/index.ts';
import type { Git } from './git.ts';

/** Every look at an object asks each pack, and `fsck` opens each loose object: years of hourly commits make tens of thousands. */
const MOST_PACKS = 50;
const MOST_LOOSE = 2_000;
/** Of a pack that is being written, by the kinds of names that Git gives it. */
const UNFINISHED = /^(?:\.tmp-|tmp_)/;
/** Both packs are there for a while, and other things need the disk, too. */
const ROOM_FACTOR = 3;
const KIB = 1024;
/** A host has other work to do. */
const FRUGAL = ['-c', 'pack.threads=1', '-c', 'pack.windowMemory=64m'];

export interface PackLimits {
  readonly mostPacks?: number;
  readonly mostLoose?: number;
}

/**
 * The lock must be held, and the repository be sound. In words, why it could not be done; undefined when it was, or need not be. May be killed at any
 * moment: the old packs are there until the new one is, and what is left of that goes with the next call. Throws `CANCELLED` alone.
 */
export async function keepPacked(git: Git, limits: PackLimits = {}): Promise<string | undefined> {
  try {
    await removeUnfinished(git);
    return await packed(git, { mostPacks: MOST_PACKS, mostLoose: MOST_LOOSE, ...limits });
  } catch (error) {
    if (isHoldfastError(error, 'CANCELLED')) throw error;
    return toHoldfastError(error).message;
  }
}

async function packed(git: Git, { mostPacks, mostLoose }: Required<PackLimits>): Promise<string | undefined> {
  const before = await countsOf(git);
  if (before.packs <= mostPacks && before.loose <= mostLoose) return undefined;
  const { bavail, bsize } = await statfs(git.directory);
  if (bavail * bsize < before.sizeBytes * ROOM_FACTOR) return 'the disk has no room for a second pack';
  // Also what nothing refers to: somebody may have put it there.
  const ended = await git.try([...FRUGAL, 'repack', '-a', '-d', '--keep-unreachable', '--quiet']);
  if (ended.exitCode !== 0) {
    await removeUnfinished(git);
    throw processError(ended);
  }
  const { packs, loose } = await countsOf(git);
  return packs > mostPacks || loose > mostLoose
    ? `there are ${packs} packs and ${loose} single objects still`
    : undefined;
}

interface Counts {
  readonly packs: number;
  readonly loose: number;
  readonly sizeBytes: number;
}

async function countsOf(git: Git): Promise<Counts> {
  const told = await git.ask(['count-objects', '-v']);
  const numbers = new Map(
    told.split('\n').map((line) => {
      const [name = '', number] = line.split(': ');
      return [name, Number(number)] as const;
    }),
  );
  const of = (name: string) => numbers.get(name) ?? 0;
  return { packs: of('packs'), loose: of('count'), sizeBytes: (of('size') + of('size-pack')) * KIB };
}

/** Of runs that were killed: nobody else writes here, and no object is in them that is nowhere else. */
async function removeUnfinished(git: Git): Promise<void> {
  const packs = path.join(git.directory, 'objects', 'pack');
  const left = (await readdir(packs)).filter((name) => UNFINISHED.test(name));
  for (const name of left) await rm(path.join(packs, name), { force: true });
  if (left.length > 0) await syncDirectory(packs);
}
