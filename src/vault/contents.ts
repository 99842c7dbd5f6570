// Whether a tree that was read to its end holds something: a look that compared nothing proves nothing.

import { fail } from '../errors/index.ts';
import type { Snapshot, TreeEntry } from './types.ts';

/** Counts what a tree is made of. */
export class Contents {
  #entries = 0;
  #files = 0;

  add({ type }: Pick<TreeEntry, 'type'>): void {
    this.#entries += 1;
    if (type === 'file') this.#files += 1;
  }

  /** Directories and links alone are a tree of files like any other (a drained spool), and nothing that a server could start on. Throws `OBJECT_DAMAGED`. */
  require({ kind }: Pick<Snapshot, 'kind'>, what: string): void {
    if (this.#entries === 0) fail('OBJECT_DAMAGED', `${what} holds nothing`);
    if (this.#files === 0 && kind !== 'files') fail('OBJECT_DAMAGED', `${what} holds no file`);
  }
}
