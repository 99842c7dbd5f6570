// The most that one run may take from each copy, so that a mistake costs a part and not everything.

import type { Amount } from '../../domain/retention-report.ts';
import type { CopyInventory } from './inventory.ts';
import type { RetentionRequest } from './request.ts';

/** What taking something costs, by copy. */
export type Cost = ReadonlyMap<string, Amount>;

export class Budget {
  readonly maximum = new Map<string, Amount>();
  readonly #spent = new Map<string, { objects: number; bytes: number }>();

  constructor(inventories: readonly CopyInventory[], { maximum }: Pick<RetentionRequest, 'maximum'>) {
    for (const { copy, bytes } of inventories) {
      this.maximum.set(copy.description.name, {
        objects: maximum.objects,
        bytes: Math.floor(bytes * maximum.bytesShare),
      });
    }
  }

  /** Takes it when every copy has room for it. */
  take(cost: Cost): boolean {
    for (const [copy, { objects, bytes }] of cost) {
      const most = this.maximum.get(copy);
      const spent = this.spent(copy);
      if (most === undefined || spent.objects + objects > most.objects || spent.bytes + bytes > most.bytes)
        return false;
    }
    for (const [copy, { objects, bytes }] of cost) {
      const spent = this.spent(copy);
      this.#spent.set(copy, { objects: spent.objects + objects, bytes: spent.bytes + bytes });
    }
    return true;
  }

  spent(copy: string): Amount {
    return this.#spent.get(copy) ?? { objects: 0, bytes: 0 };
  }
}

/** Of one object, by the size that each copy has of it. */
export function costOf(onCopies: Iterable<readonly [copy: string, sizeBytes: number]>): Cost {
  return new Map([...onCopies].map(([copy, bytes]) => [copy, { objects: 1, bytes }]));
}
