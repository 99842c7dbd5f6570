// A store that fails at a chosen call: before it does anything, or after it did all of it (the answer is lost); once, or for good as in a death.

import { HoldfastError } from '../../src/errors/index.ts';
import type { Store } from '../../src/stores/store.ts';
import { DelegatingStore } from './delegating-store.ts';

/** `dies …`: every later call fails too, of all stores, as if the process had been killed there. */
export type FaultKind = 'refused' | 'answer lost' | 'dies before' | 'dies after';

/** Counts the calls of all stores that share it, and says which one fails. */
export class FaultPlan {
  /** Calls seen since the plan was set. */
  calls = 0;
  #failing: number | undefined;
  #kind: FaultKind = 'refused';
  /** What failed, for the message of a test. */
  failed: string | undefined;

  /** `call` counts from 1; `undefined`: none. */
  set(call: number | undefined, kind: FaultKind = 'refused'): void {
    this.calls = 0;
    this.#failing = call;
    this.#kind = kind;
    this.failed = undefined;
  }

  next(what: string): FaultKind | undefined {
    this.calls++;
    if (this.#failing !== undefined && this.calls > this.#failing && this.#kind.startsWith('dies')) return 'refused';
    if (this.calls !== this.#failing) return undefined;
    this.failed = `${this.#kind}: ${what}`;
    return this.#kind;
  }
}

export class FaultyStore extends DelegatingStore {
  readonly #plan: FaultPlan;

  constructor(store: Store, plan: FaultPlan) {
    super(store);
    this.#plan = plan;
  }

  protected override async around<T>(what: string, call: () => Promise<T>): Promise<T> {
    const kind = this.#plan.next(`${what} on ${this.name}`);
    if (kind === undefined) return call();
    if (kind === 'answer lost' || kind === 'dies after') await call();
    throw new HoldfastError('STORE_UNAVAILABLE', `${what}: ${kind}`);
  }
}
