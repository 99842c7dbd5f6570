// What is below a name that is created or replaced, as it comes by: it needs no line of its own, and is counted.

import type { TreeEntry } from '../../vault/index.ts';
import { isWithin } from '../restore/select.ts';
import type { Found } from '../scan/found.ts';
import type { Amount, Change } from './change.ts';

export class Subtree {
  readonly path: string;
  readonly #change: Change;
  #comesIn: Amount;
  #neededBytes: number;
  #goesAlong: Amount = { entries: 0, bytes: 0 };

  /** `path` as entries have it. */
  constructor(path: string, change: Change) {
    this.path = path;
    this.#change = change;
    this.#comesIn = change.amount;
    this.#neededBytes = change.neededBytes ?? 0;
  }

  isAround(path: string): boolean {
    return isWithin(path, this.path);
  }

  comesIn(entry: TreeEntry): void {
    this.#comesIn = sum(this.#comesIn, entry.sizeBytes);
    this.#neededBytes += neededBytes(entry);
  }

  goesAlong({ type, sizeBytes }: Found): void {
    this.#goesAlong = sum(this.#goesAlong, type === 'file' ? sizeBytes : 0);
  }

  get change(): Change {
    const takesAlong = this.#goesAlong.entries > 0 && { takesAlong: this.#goesAlong };
    return { ...this.#change, amount: this.#comesIn, neededBytes: this.#neededBytes, ...takesAlong };
  }
}

/** Nobody knows how much of a file with holes there is. */
export function neededBytes({ type, sizeBytes, holes }: TreeEntry): number {
  return type === 'file' && !holes ? sizeBytes : 0;
}

function sum({ entries, bytes }: Amount, more: number): Amount {
  return { entries: entries + 1, bytes: bytes + more };
}
