// The key slots of an opened vault as one service; changes are made under a lease, one at a time.

import type { VaultCore } from './core.ts';
import type { KeySource } from './key-sources.ts';
import { addSlot, type Fence, removeSlot, rotateSlot } from './slot-changes.ts';
import { listSlots, testSlots } from './slot-tests.ts';
import type { KeySlots, Lease, SlotChange, SlotListing, SlotRotation, SlotTest } from './types.ts';

const LEASE = 'keys';
/** A change takes seconds; one that died holds up other hosts for so long, and its own host not at all. */
const LEASE_MS = 60_000;

type AcquireLease = (resource: string, owner: string, ttlMs: number) => Promise<Lease>;

export class VaultKeySlots implements KeySlots {
  readonly #core: VaultCore;
  readonly #acquireLease: AcquireLease;

  constructor(core: VaultCore, acquireLease: AcquireLease) {
    this.#core = core;
    this.#acquireLease = acquireLease;
  }

  list(sources: readonly KeySource[]): Promise<SlotListing> {
    return listSlots(this.#core, sources);
  }

  test(sources: readonly KeySource[], slot?: string): Promise<readonly SlotTest[]> {
    return testSlots(this.#core, sources, slot);
  }

  add(source: KeySource): Promise<SlotChange> {
    return this.#alone((fence) => addSlot(this.#core, fence, source));
  }

  rotate(source: KeySource, options: SlotRotation): Promise<SlotChange> {
    return this.#alone((fence) => rotateSlot(this.#core, fence, source, options));
  }

  remove(slot: string, sources: readonly KeySource[]): Promise<SlotChange> {
    return this.#alone((fence) => removeSlot(this.#core, fence, slot, sources));
  }

  /** A new attempt on the same host takes the lease of one that died, and thereby fences it. */
  async #alone<Result>(work: (fence: Fence) => Promise<Result>): Promise<Result> {
    const lease = await this.#acquireLease(LEASE, `keys/${this.#core.host}`, LEASE_MS);
    try {
      return await work(() => lease.check());
    } finally {
      await lease.release().catch((error: Error) => this.#core.logger.warn(error.message));
    }
  }
}
