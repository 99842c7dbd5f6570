// Directories that a comparison is in: those that stay, whose times change with what is in them, and those that go when they are empty.

import { isWithin } from '../restore/select.ts';
import type { Found } from '../scan/found.ts';
import type { Change, Metadata } from './change.ts';

interface Open {
  readonly path: string;
  readonly found: Pick<Found, 'device' | 'inode'>;
  readonly present: Metadata;
  isListed: boolean;
}

/** What changes in a directory changes its time, so it is settled too. Paths below the root. */
export class OpenDirectories {
  readonly #own: bigint | undefined;
  readonly #open: Open[] = [];

  /** `own`: the device of the root. */
  constructor(own: bigint | undefined) {
    this.#own = own;
  }

  enter(path: string, found: Open['found'], present: Metadata, isListed: boolean): void {
    this.#leaveFor(path);
    this.#open.push({ path, found, present, isListed });
  }

  /** Of the directory that holds this name. */
  deviceAround(path: string): bigint | undefined {
    this.#leaveFor(path);
    return this.#open.length === 0 ? this.#own : this.#open.at(-1)?.found.device;
  }

  *touched(path: string): Generator<Change> {
    this.#leaveFor(path);
    const parent = this.#open.at(-1);
    if (!parent || parent.isListed || parent.path === path) return;
    parent.isListed = true;
    yield settledAsItIs(parent.path, `${parent.found.inode}`, parent.present);
  }

  #leaveFor(path: string): void {
    while (this.#open.length > 0 && !isWithin(path, (this.#open.at(-1) as Open).path)) this.#open.pop();
  }
}

/** Directories that are removed come behind what is in them: what is left out of them stays, and they with it. */
export class RemovedDirectories {
  readonly #open: { readonly change: Change; stays: boolean; isTouched: boolean }[] = [];

  enter(change: Change): void {
    this.#open.push({ change, stays: false, isTouched: false });
  }

  /** Something in all of them stays. */
  stay(): void {
    for (const each of this.#open) each.stays = true;
  }

  /** Something in the innermost of them changes. */
  touch(): void {
    const innermost = this.#open.at(-1);
    if (innermost) innermost.isTouched = true;
  }

  /** Those that this path is not in. */
  *leaveFor(path: string): Generator<Change> {
    while (this.#open.length > 0 && !isWithin(path, (this.#open.at(-1) as { change: Change }).change.path)) {
      yield* this.#leave();
    }
  }

  *all(): Generator<Change> {
    while (this.#open.length > 0) yield* this.#leave();
  }

  *#leave(): Generator<Change> {
    const last = this.#open.pop();
    if (!last) return;
    const { change, stays, isTouched } = last;
    if (!stays) yield change;
    else if (isTouched && change.before) yield settledAsItIs(change.path, change.inode, change.before);
  }
}

function settledAsItIs(path: string, inode: string | undefined, present: Metadata): Change {
  const amount = { entries: 1, bytes: 0 };
  const [before, after] = [present, present];
  return { path, kind: 'settle', type: 'directory', aspects: [], amount, ...(inode && { inode }), before, after };
}
