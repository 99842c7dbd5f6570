// Retention of one opened vault: planned by anybody with the key, carried out by one at a time under the lease `retention`.

import type { ComponentId } from '../../domain/component.ts';
import type { Moment } from '../../domain/moment.ts';
import type {
  HeldLocks,
  MarkReport,
  ReleaseReport,
  RetentionPlan,
  SweepReport,
} from '../../domain/retention-report.ts';
import type { VaultCore } from '../core.ts';
import { acquireLease, type Observations } from '../lease.ts';
import type { Lease } from '../types.ts';
import { readFacts } from './facts.ts';
import { lockAllHeld, lockHeld } from './held-locks.ts';
import { type Hold, putHold } from './holds.ts';
import { readInventory } from './inventory.ts';
import { mark } from './mark.ts';
import { plan } from './plan.ts';
import { type ReleaseRequest, release, requireWholeSomewhere } from './release.ts';
import type { RetentionRequest } from './request.ts';
import { sweep } from './sweep.ts';
import { readTombstones } from './tombstone.ts';
import { type Caches, makeCaches } from './world.ts';

export type { Hold } from './holds.ts';
export type { ReleaseRequest } from './release.ts';
export type { ComponentPolicy, PassingHold, RetentionRequest } from './request.ts';
export { SHORTEST_GRACE_SECONDS } from './request.ts';

const RESOURCE = 'retention';
const TTL_MS = 60_000;

export interface HoldRequest {
  readonly component: ComponentId;
  readonly snapshot?: string;
  readonly reason: string;
  readonly until?: Moment;
  readonly by: string;
  readonly at: Moment;
}

export interface PlacedHold extends Hold {
  /** Of every copy that locks. */
  readonly locks: readonly HeldLocks[];
}

export interface VaultRetention {
  /** What is kept and why, and what a run would do. Says in `refused` why it could do nothing. */
  plan(request: RetentionRequest): Promise<RetentionPlan>;
  /**
   * What is held stays locked: one answer for each copy that locks, and for each whose holds cannot be read; none where nothing is locked or held.
   * A failure is in the answer, not thrown. Needs nothing of what the other methods may doubt.
   */
  lockHeld(options?: { readonly signal?: AbortSignal }): Promise<readonly HeldLocks[]>;
  /** Phase one. Throws `RETENTION_DOUBT`, `LOCKED`, `FENCED`. */
  mark(request: RetentionRequest): Promise<MarkReport>;
  /** Phase two. Throws `RETENTION_DOUBT`, `LOCKED`, `FENCED`. */
  sweep(request: RetentionRequest): Promise<SweepReport>;
  /** Throws `NOT_FOUND` for a snapshot that is not there, or what no copy has whole of it, `OBJECT_MISSING` when its deletion has begun; `LOCKED` while a run deletes, `FENCED` when somebody else took over. */
  hold(request: HoldRequest): Promise<PlacedHold>;
  /** Ends a hold, or takes a tombstone back. Throws `NOT_FOUND`, `OBJECT_MISSING`, `LOCKED`. */
  release(request: ReleaseRequest): Promise<ReleaseReport>;
}

export class OpenedRetention implements VaultRetention {
  readonly #core: VaultCore;
  readonly #observations: Observations;
  readonly #caches: Caches = makeCaches();

  constructor(core: VaultCore, observations: Observations) {
    this.#core = core;
    this.#observations = observations;
  }

  plan(request: RetentionRequest): Promise<RetentionPlan> {
    return plan(this.#core, request, this.#caches);
  }

  lockHeld(options: { readonly signal?: AbortSignal } = {}): Promise<readonly HeldLocks[]> {
    return lockAllHeld(this.#core, this.#caches.facts, options);
  }

  mark(request: RetentionRequest): Promise<MarkReport> {
    return this.#alone(request.run, (lease) => mark(this.#core, request, this.#caches, lease));
  }

  sweep(request: RetentionRequest): Promise<SweepReport> {
    return this.#alone(request.run, (lease) => sweep(this.#core, request, this.#caches, lease));
  }

  hold(request: HoldRequest): Promise<PlacedHold> {
    const { component, snapshot } = request;
    return this.#alone(`hold by ${request.by}`, async (lease) => {
      if (snapshot !== undefined) {
        const copies = await this.#core.copies.ready();
        const inventories = await Promise.all(copies.map(readInventory));
        const facts = await readFacts(this.#core, inventories, component, this.#caches.facts);
        const cache = this.#caches.tombstones;
        const tombstones = await readTombstones(this.#core, copies, { cache, unreadable: 'refuse' });
        await requireWholeSomewhere(this.#core, facts, tombstones, snapshot);
      }
      const hold = await putHold(this.#core, request);
      // Still ours: no deletion began between the look and the hold.
      await lease.check();
      return { ...hold, locks: await lockHeld(this.#core, [hold], this.#caches.facts) };
    });
  }

  release(request: ReleaseRequest): Promise<ReleaseReport> {
    return this.#alone(`release by ${request.by}`, (lease) => release(this.#core, request, this.#caches, lease));
  }

  /** One at a time in the whole vault; a repeated attempt of the same run fences its older self. */
  async #alone<T>(owner: string, work: (lease: Lease) => Promise<T>): Promise<T> {
    const lease = await acquireLease(this.#core, this.#observations, {
      resource: RESOURCE,
      owner,
      ttlMs: TTL_MS,
      above: 0,
    });
    try {
      return await work(lease);
    } finally {
      await lease.release().catch(() => undefined);
    }
  }
}
