// Where a restore in place of a configuration works: directories that are paths of it, and those that hold its single files.

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type HoldfastError, toHoldfastError } from '../errors/index.ts';
import { existingPaths } from './paths.ts';

export interface Places {
  readonly places: readonly string[];
  /** Of paths that cannot be looked at: they must not stand in the way of the others. */
  readonly unseen: readonly HoldfastError[];
}

/** Every directory in which such a restore may have left something. */
export async function placesOf(paths: readonly string[]): Promise<Places> {
  const places = new Set<string>();
  const unseen: HoldfastError[] = [];
  for (const each of paths.flatMap((named) => [named, path.dirname(named)])) {
    try {
      for (const place of await existingPaths(each)) if ((await stat(place)).isDirectory()) places.add(place);
    } catch (error) {
      unseen.push(toHoldfastError(error));
    }
  }
  return { places: [...places], unseen };
}
