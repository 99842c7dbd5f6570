// Names that share an inode: the first one in walk order is the entry, the others are links to it.

import type { Found } from '../scan/found.ts';

interface Shared {
  readonly leader: string;
  /** Names that were not seen yet: with the last one it is forgotten. */
  left: bigint;
}

export class HardLinks {
  readonly #shared = new Map<string, Shared>();
  readonly #failed = new Set<string>();

  /** Path of the file that this is another name of; undefined for the first. */
  leaderOf({ path, type, links, device, inode }: Found): string | undefined {
    if (type === 'directory' || links < 2n) return undefined;
    const key = `${device}:${inode}`;
    const shared = this.#shared.get(key);
    if (!shared || this.#failed.has(shared.leader)) {
      this.#shared.set(key, { leader: path, left: links - 1n });
      return undefined;
    }
    shared.left -= 1n;
    if (shared.left <= 0n) this.#shared.delete(key);
    return shared.leader;
  }

  /** The file could not be read by this name: the next name is the first. */
  failed(path: string): void {
    this.#failed.add(path);
  }

  hasFailed(path: string): boolean {
    return this.#failed.has(path);
  }
}
