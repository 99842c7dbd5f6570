// An earlier tree beside a walk in the same order: both go forward, so that one batch of entries is in memory, whatever the size of the tree.

import type { TreeEntry } from '../vault/index.ts';
import { walkKey } from './walk-order.ts';

export class KnownEntries {
  readonly #batches: AsyncIterator<readonly TreeEntry[]>;
  #batch: readonly TreeEntry[] = [];
  #at = 0;
  #hasEnded = false;
  #failure: string | undefined;

  /** In walk order. */
  constructor(batches: AsyncIterable<readonly TreeEntry[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  /** The entry of this path, which comes behind the one that was asked for before. */
  async take(path: string): Promise<TreeEntry | undefined> {
    for (;;) {
      const found = this.#takeHere(path);
      if (found !== 'further') return found;
      await this.#advance();
    }
  }

  /** Why the tree could not be read to its end: from there on nothing is known. Whoever captures goes on without it. */
  get failure(): string | undefined {
    return this.#failure;
  }

  async close(): Promise<void> {
    await this.#batches.return?.().catch(() => {}); // of a tree that nobody asks any more
  }

  #takeHere(path: string): TreeEntry | undefined | 'further' {
    const next = this.#batch[this.#at];
    if (next?.path === path) {
      this.#at++;
      return next;
    }
    const key = walkKey(path);
    for (; this.#at < this.#batch.length; this.#at++) {
      const entry = this.#batch[this.#at] as TreeEntry;
      if (entry.path === path) {
        this.#at++;
        return entry;
      }
      if (walkKey(entry.path) > key) return undefined;
    }
    return this.#hasEnded ? undefined : 'further';
  }

  async #advance(): Promise<void> {
    const step = await this.#batches.next().catch((error: Error) => {
      this.#failure = error.message;
      return { done: true } as const;
    });
    this.#hasEnded = step.done === true;
    this.#batch = step.done ? [] : step.value;
    this.#at = 0;
  }
}
