// The directory of one run of a bench: big enough from the start, and gone at its end however it ends.

import { rmSync } from 'node:fs';
import { mkdtemp, statfs } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../src/errors/index.ts';

/** Throws `NO_SPACE` before anything is written. */
export async function makeWorkDirectory(parent: string, neededBytes: number): Promise<string> {
  const { bavail, bsize } = await statfs(parent);
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  if (bavail * bsize < neededBytes) {
    fail('NO_SPACE', `'${parent}' has ${gigabytes(bavail * bsize)} free, the run needs ${gigabytes(neededBytes)}`, {
      hint: 'name a larger place by --work, fewer --rounds, or a smaller --scale',
    });
  }
  const directory = await mkdtemp(path.join(parent, 'holdfast-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
