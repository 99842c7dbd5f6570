// Renames that overwrite nothing, whatever kernel and file system can do.

import { renameSync } from 'node:fs';
import { exchangeNames, lookAt, type NameIn, pathIn, renameToNew } from '../../system/index.ts';
import type { Ways } from './ways.ts';

/** `taken`: there is something of the new name; `gone`: there is nothing of the old one. */
export type Moved = 'moved' | 'taken' | 'gone';

export function move(from: NameIn, to: NameIn): Moved {
  try {
    if (renameToNew(from, to)) return 'moved';
    // Between this look and the rename nothing but luck keeps others away: only where the file system can do no better.
    if (lookAt(to)) return 'taken';
    renameSync(pathIn(from), pathIn(to));
    return 'moved';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTEMPTY') return 'taken';
    if (code === 'ENOENT') return 'gone';
    throw error;
  }
}

/** False: it is not possible here, and nothing was done. `gone`: one of the names is not there. */
export function exchange(one: NameIn, other: NameIn): boolean | 'gone' {
  try {
    return exchangeNames(one, other);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'gone';
    throw error;
  }
}

/** Below another directory by the same path, or that with a number where it is taken: two of one name are both kept. */
export function moveAside(from: NameIn, to: Ways, name: string): Moved {
  for (let number = 0; ; number++) {
    const moved = move(from, to.make(number === 0 ? name : `${name}.${number}`));
    if (moved !== 'taken') return moved;
  }
}
