// Directories that a comparison is in: whether others have exchanged them, and of some only what is in them tells whether they are there by this run's doing.

import { isWithin } from '../restore/select.ts';

interface Left {
  readonly words: string;
  readonly isOurs: boolean;
}

interface Open {
  readonly path: string;
  readonly ctimeNs: bigint | undefined;
  /** In words; its time is not the one that it was given. */
  time?: string;
  /** In words; it is there and should not be. */
  surplus?: string;
  /** Others have changed names in it. */
  isWritten: boolean;
  /** Something in it is left alone, or others': it cannot go. */
  stays: boolean;
  /** Others have made it, or moved it here; `false`: it is known to be the one that it was. Else it is as what it is in. */
  isTheirs?: boolean;
}

export class ComparedDirectories {
  readonly #open: Open[] = [];

  enter(path: string, ctimeNs: bigint | undefined): void {
    this.#open.push({ path, ctimeNs, isWritten: false, stays: false });
  }

  /** Of the innermost. */
  get ctimeNs(): bigint | undefined {
    return this.#open.at(-1)?.ctimeNs;
  }

  /** Of the one that was entered last. */
  timeDiffers(words: string): void {
    const last = this.#open.at(-1);
    if (last) last.time = words;
  }

  mustGo(words: string): void {
    const last = this.#open.at(-1);
    if (last) last.surplus = words;
  }

  isTheirs(isTheirs: boolean): void {
    const last = this.#open.at(-1);
    if (last) last.isTheirs = isTheirs;
  }

  get isInTheirs(): boolean {
    return this.#open.findLast(({ isTheirs }) => isTheirs !== undefined)?.isTheirs ?? false;
  }

  /** Something in all of them is left alone. */
  stay(): void {
    for (const each of this.#open) each.stays = true;
  }

  /** A name in the innermost of them was made, taken away or given to something else by others. */
  written(): void {
    const innermost = this.#open.at(-1);
    if (innermost) innermost.isWritten = true;
  }

  /** What is to be told of those that this path is not in. */
  *leaveFor(path: string): Generator<Left> {
    while (this.#open.length > 0 && !isWithin(path, (this.#open.at(-1) as Open).path)) yield* this.#leave();
  }

  *leaveAll(): Generator<Left> {
    while (this.#open.length > 0) yield* this.#leave();
  }

  *#leave(): Generator<Left> {
    const last = this.#open.pop();
    // By itself a time says nothing: whoever makes a name and takes it away again leaves just that.
    if (last?.time !== undefined && !last.isWritten) yield { words: last.time, isOurs: false };
    if (last?.surplus !== undefined && !last.stays) yield { words: last.surplus, isOurs: true };
  }
}
