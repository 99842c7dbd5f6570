// What a list of changes comes to: how much of each kind, the first of them, and a digest by which it is known again.

import { createHash } from 'node:crypto';
import { walkKey } from '../walk-order.ts';
import type { Amount, Change } from './change.ts';

export type Counts = Readonly<Record<Change['kind'], Amount>>;

const SHOWN = 200;
const NONE: Amount = { entries: 0, bytes: 0 };
/** Of a file system: what the smallest entry takes. */
const BLOCK_BYTES = 4096;

export class Sums {
  readonly #counts: Record<Change['kind'], Amount> = {
    create: NONE,
    replace: NONE,
    remove: NONE,
    settle: NONE,
    compare: NONE,
  };
  readonly #certain: Change[] = [];
  readonly #doubtful: Change[] = [];
  readonly #hash = createHash('sha256');
  #count = 0;
  #neededBytes = 0;

  /** A directory that is settled only because something in it changes is no change of its own. */
  add(change: Change): void {
    const { kind, type, path, amount, takesAlong, aspects, neededBytes = 0 } = change;
    if (kind === 'settle' && aspects.length === 0) return;
    this.#count++;
    this.#note(kind, amount);
    if (takesAlong) this.#note('remove', takesAlong);
    const shown = kind === 'compare' ? this.#doubtful : this.#certain;
    if (shown.length < SHOWN) shown.push(change);
    if (kind === 'create' || kind === 'replace') this.#neededBytes += neededBytes + amount.entries * BLOCK_BYTES;
    const bytes = kind === 'settle' || kind === 'remove' ? 0 : amount.bytes;
    this.#hash.update(`${JSON.stringify([kind, type, path, amount.entries, bytes])}\n`);
  }

  get counts(): Counts {
    return { ...this.#counts };
  }

  /** Of the changes that were added, less those that are none. */
  get count(): number {
    return this.#count;
  }

  get first(): readonly Change[] {
    const key = ({ path }: Change) => walkKey(path);
    return [...this.#certain, ...this.#doubtful].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }

  /** Room for what comes in, while what is there is kept. */
  get neededBytes(): number {
    return this.#neededBytes;
  }

  /** Lower-case hexadecimal; once, at the end. Sizes of what is only taken away do not count: a log that grows makes no other plan. */
  digest(): string {
    return this.#hash.digest('hex');
  }

  #note(kind: Change['kind'], { entries, bytes }: Amount): void {
    const before = this.#counts[kind];
    this.#counts[kind] = { entries: before.entries + entries, bytes: before.bytes + bytes };
  }
}
