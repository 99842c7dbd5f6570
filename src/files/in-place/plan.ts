// What a restore in place would do, told before anything is touched.

import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { shownPath } from '../../domain/path-text.ts';
import { bytesText } from '../../domain/size.ts';
import { isThere } from '../../system/index.ts';
import type { Change } from './change.ts';
import { changesOf } from './changes.ts';
import { requireRunning } from './hold.ts';
import { writeList } from './list.ts';
import { type Comparing, comparing, counting } from './options.ts';
import { realRoot } from './place.ts';
import { requireOnlyRun } from './runs.ts';
import { Sums } from './sums.ts';
import type { InPlacePlan, PlanOptions } from './types.ts';

/** Room for lists, journal and directories on the way. */
const MARGIN_BYTES = 16 * 1024 * 1024;
const SHOWN_OWNERS = 10;
const SHOWN_NAMES = 5;

/**
 * Reads names, not files, and touches nothing; may be called any number of times, also while a run is under way. Throws `TARGET_UNFIT`: another run of this root has not ended,
 * a change would cross a mount or take along what is left alone, a link is on the way to what is wanted, something may not be looked at. Throws `USAGE`, `CANCELLED`, and what the vault says.
 */
export async function planInPlace(options: PlanOptions): Promise<InPlacePlan> {
  const root = realRoot(options.root);
  await requireOnlyRun(root, options.run);
  const compared = comparing(options, root);
  const sums = new Sums();
  const changes = summed(changesOf(counting(compared)), sums, options.signal);
  if (options.listFile === undefined) for await (const _ of changes);
  else await writeList(options.listFile, changes);
  const space = { neededBytes: neededBytes(sums), availableBytes: await availableBytes(root) };
  return {
    root,
    digest: sums.digest(),
    counts: sums.counts,
    count: sums.count,
    changes: sums.first,
    space,
    leftAlone: compared.words.leftAlone.told,
    warnings: [...warningsOf(compared, sums, root), ...spaceWarnings(space, root)],
  };
}

export async function* summed(changes: AsyncIterable<Change>, sums: Sums, signal: AbortSignal): AsyncGenerator<Change> {
  for await (const change of changes) {
    requireRunning(signal);
    sums.add(change);
    yield change;
  }
}

export function neededBytes(sums: Pick<Sums, 'neededBytes'>): number {
  return sums.neededBytes === 0 ? 0 : sums.neededBytes + MARGIN_BYTES;
}

/** Where the root is, or will be. */
export async function availableBytes(root: string): Promise<number> {
  let there = root;
  while (!(await isThere(there))) there = path.dirname(there);
  const { bavail, bsize } = await statfs(there);
  return bavail * bsize;
}

export function warningsOf({ words, changes }: Comparing, sums: Sums, root: string): string[] {
  const { wanted, present, gone, leftAlone, owners, removesNothing } = words;
  const { remove } = sums.counts;
  const missing = owners.missing;
  const few = `there are ${present} files in '${root}' and ${wanted} in what is given back: is its disk mounted?`;
  const told: readonly [boolean, string][] = [
    [present * 2 < wanted, few],
    [
      remove.entries * 2 > present && remove.entries > 1,
      `more than half of '${root}' is taken away: ${remove.entries} names`,
    ],
    [wanted === 0 && leftAlone.told.count === 0, `nothing of what is to be given back is in the snapshot`],
    [
      missing.length > 0,
      `nobody here has the name of these owners, who are known by their numbers then: ${missing.slice(0, SHOWN_OWNERS).join(', ')}${missing.length > SHOWN_OWNERS ? ' ...' : ''}`,
    ],
    [!changes.givesOwners, 'this user cannot give files away: what comes in belongs to this user'],
    [
      removesNothing,
      'the snapshot lacks more names than it tells of: nothing is taken away, because it may be one of those',
    ],
    [
      leftAlone.told.count > 0,
      `${leftAlone.told.count} names are left alone, because rules leave out what has them today: ${namesOf(leftAlone.told.first)}; \`--beside DIR\` gives them back`,
    ],
    [gone.told.count > 0, `${gone.told.count} directories went away while they were looked at`],
  ];
  return told.filter(([holds]) => holds).map(([, words]) => words);
}

/** The first of them. */
export function namesOf(named: readonly { readonly path: string }[]): string {
  const shown = named.slice(0, SHOWN_NAMES).map(({ path: each }) => `'/${shownPath(each)}'`);
  return `${shown.join(', ')}${named.length > SHOWN_NAMES ? ' ...' : ''}`;
}

function spaceWarnings({ neededBytes: needed, availableBytes: free }: InPlacePlan['space'], root: string): string[] {
  if (needed <= free) return [];
  return [`${bytesText(needed)} are needed, and ${bytesText(free)} are free in '${root}'`];
}
