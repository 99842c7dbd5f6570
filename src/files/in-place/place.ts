// Where one run works in a root: what it stages, what it keeps, its list and its journal, all on the root's own file system.

import path from 'node:path';
import { OWN_DIRECTORY } from '../scan/rules.ts';

export interface RunPlace {
  /** Absolute. */
  readonly root: string;
  /** The root's own `.holdfast`, of mode 0700. */
  readonly home: string;
  readonly lock: string;
  readonly run: string;
  readonly directory: string;
  /** What comes in, by its path below the root. */
  readonly staged: string;
  /** What was there, by its path below the root. */
  readonly kept: string;
  readonly changes: string;
  readonly journal: string;
}

export function runPlace(root: string, run: string): RunPlace {
  const home = path.join(root, OWN_DIRECTORY);
  const directory = path.join(home, run);
  const of = (name: string) => path.join(directory, name);
  return {
    root,
    home,
    lock: path.join(home, 'lock'),
    run,
    directory,
    staged: of('new'),
    kept: of('old'),
    changes: of('changes.jsonl'),
    journal: of('journal.jsonl'),
  };
}
