// Which runs have something in a root, and what state they are in.

import { fstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { RunJournal } from './journal.ts';
import { type Home, isRunName, openHome, openRun } from './place.ts';
import { keptAt } from './trees.ts';
import type { RunInPlace, WholeRestore } from './types.ts';

/** Runs that have something in the root, also those that are over, by name; none where there is no such root. Reads only. Throws `TARGET_UNFIT` where `.holdfast` is not ours. */
export async function runsInPlace(root: string): Promise<ReadonlyMap<string, RunInPlace>> {
  const home = await openHome(root, { makes: false });
  if (!home) return new Map();
  try {
    return await runsIn(home);
  } finally {
    home.close();
  }
}

async function runsIn(home: Home): Promise<ReadonlyMap<string, RunInPlace>> {
  const runs = new Map<string, RunInPlace>();
  const found = readdirSync(`/proc/self/fd/${home.handle}`, { withFileTypes: true });
  for (const { name } of found
    .filter((entry) => entry.isDirectory() && isRunName(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const place = await openRun(home, name, { makes: false });
    if (!place) continue;
    try {
      const journal = await RunJournal.open(place);
      const { phase, highestToken: token, lastAt } = journal;
      const at = lastAt ?? fstatSync(place.handle).ctime.toISOString();
      const lock = path.join(home.shown, 'lock');
      const restore = journal.dataOf('list')?.restore as WholeRestore | undefined;
      const told = { phase, token, at, kept: keptAt(place), lock, isCleared: journal.isDone('clear') };
      runs.set(name, { ...told, ...(restore && { restore }) });
    } finally {
      place.close();
    }
  }
  return runs;
}

/** One change of a root at a time. Throws `TARGET_UNFIT` for any other run that is not over. */
export async function requireOnlyRun(root: string, run: string | undefined): Promise<void> {
  for (const [other, { phase }] of await runsInPlace(root)) {
    if (other === run || phase === 'confirmed' || phase === 'rolled back') continue;
    fail('TARGET_UNFIT', `the restore '${other}' of '${root}' is ${phase}`, {
      hint: `confirm it or roll it back first: \`holdfast confirm ${other}\`, \`holdfast rollback ${other}\``,
    });
  }
}
