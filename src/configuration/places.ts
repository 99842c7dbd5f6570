// Where a restore in place of a configuration works: directories that are paths of it, and those that hold its single files.

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { existingPaths } from './paths.ts';

/** Every directory in which such a restore may have left something. Throws `FILES_ROOT` when one cannot be looked at. */
export async function placesOf(paths: readonly string[]): Promise<readonly string[]> {
  const places = new Set<string>();
  for (const each of paths) {
    const named = [...(await existingPaths(each)), ...(await existingPaths(path.dirname(each)))];
    for (const place of named) if ((await stat(place)).isDirectory()) places.add(place);
  }
  return [...places];
}
