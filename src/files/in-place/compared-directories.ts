// Directories that a comparison is in: of some only what is in them tells whether their time, or that they are there at all, is this run's doing.

import { isWithin } from '../restore/select.ts';

interface Open {
  readonly path: string;
  /** In words; its time is not the one that it was given. */
  time?: string;
  /** In words; it is there and should not be. */
  surplus?: string;
  /** Others have changed names in it. */
  isWritten: boolean;
  /** Something in it is left alone, or others': it cannot go. */
  stays: boolean;
  /** Others have made it, or moved it here. */
  isTheirs: boolean;
}

export class ComparedDirectories {
  readonly #open: Open[] = [];

  enter(path: string): void {
    this.#open.push({ path, isWritten: false, stays: false, isTheirs: false });
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

  isTheirs(): void {
    const last = this.#open.at(-1);
    if (last) last.isTheirs = true;
  }

  get isInTheirs(): boolean {
    return this.#open.some(({ isTheirs }) => isTheirs);
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

  /** Of those that this path is not in, what is wrong, in words. */
  *leaveFor(path: string): Generator<string> {
    while (this.#open.length > 0 && !isWithin(path, (this.#open.at(-1) as Open).path)) yield* this.#leave();
  }

  *leaveAll(): Generator<string> {
    while (this.#open.length > 0) yield* this.#leave();
  }

  *#leave(): Generator<string> {
    const last = this.#open.pop();
    if (last?.time !== undefined && !last.isWritten) yield last.time;
    if (last?.surplus !== undefined && !last.stays) yield last.surplus;
  }
}
