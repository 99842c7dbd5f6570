// Where a plan has the snapshot while it counts keys: below the runs of the component, where room is looked for anyway, and by the name of its run, so that what a killed process leaves is found.

import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { isThere } from '../../system/index.ts';

/** No run is called so, and it has no journal. */
const COUNTING = '.counting';
/** A plan counts for a minute at most: whoever made what is older is gone. */
const LEFT_MS = 60 * 60_000;

/** What an earlier attempt of the run has left there is removed first. */
export async function inCountingPlace<T>(
  runs: string,
  run: string,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = path.join(runs, COUNTING, run);
  await removeLeftCounts(runs);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Of plans that were killed, also of those that nobody carries out: it is plain data. `runs`: as a plan has it. */
export async function removeLeftCounts(runs: string): Promise<void> {
  const counting = path.join(runs, COUNTING);
  if (!(await isThere(counting))) return;
  for (const name of await readdir(counting)) {
    const directory = path.join(counting, name);
    const madeAtMs = await stat(directory).then(
      ({ mtimeMs }) => mtimeMs,
      // Its own plan has ended meanwhile, and removed it.
      () => Number.POSITIVE_INFINITY,
    );
    if (Date.now() - madeAtMs > LEFT_MS) await rm(directory, { recursive: true, force: true });
  }
}
