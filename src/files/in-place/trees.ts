// The four trees of a run, all on the file system of the root: the root itself, what comes in, what was there, and what somebody wrote since.

import { closeSync } from 'node:fs';
import path from 'node:path';
import { openPart, type RunPlace } from './place.ts';
import { Ways } from './ways.ts';

export interface Trees {
  readonly root: Ways;
  /** What comes in, by its path below the root. */
  readonly staged: Ways;
  /** What was there, by its path below the root. */
  readonly kept: Ways;
  /** What others have written into what came in, or put where something was taken away: never removed by us. */
  readonly written: Ways;
}

export async function withTrees<T>(place: RunPlace, use: (trees: Trees) => Promise<T>): Promise<T> {
  const { home, shown } = place;
  const handles = (['new', 'old', 'written'] as const).map((part) => openPart(place, part));
  const [staged, kept, written] = handles.map((handle) => new Ways(handle, shown)) as [Ways, Ways, Ways];
  const trees = { root: new Ways(home.rootHandle, home.root), staged, kept, written };
  try {
    return await use(trees);
  } finally {
    for (const ways of Object.values(trees)) ways.close();
    for (const handle of handles) closeSync(handle);
  }
}

/** For people. */
export function keptAt({ shown }: RunPlace): string {
  return path.join(shown, 'old');
}
