// A store that fails at a chosen call: before it does anything, or after it did all of it (the answer is lost); once, or for good as in a death.

import { HoldfastError } from '../../src/errors/index.ts';
import type {
  ByteRange,
  CallOptions,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectVersion,
  ProbeOptions,
  PutOptions,
  Store,
  StoreProperties,
} from '../../src/stores/store.ts';

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

export class FaultyStore implements Store {
  readonly #store: Store;
  readonly #plan: FaultPlan;

  constructor(store: Store, plan: FaultPlan) {
    this.#store = store;
    this.#plan = plan;
  }

  get name(): string {
    return this.#store.name;
  }

  get location(): string {
    return this.#store.location;
  }

  get lockForSeconds(): number | undefined {
    return this.#store.lockForSeconds;
  }

  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    return this.#call(`put ${key}`, () => this.#store.put(key, bytes, options));
  }

  get(key: string, range?: ByteRange, options?: GetOptions): Promise<Buffer> {
    return this.#call(`get ${key}`, () => this.#store.get(key, range, options));
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#call(`head ${key}`, () => this.#store.head(key, options));
  }

  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo> {
    await this.#call(`list ${prefix}`, async () => {});
    yield* this.#store.list(prefix, options);
  }

  delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.#call(`delete ${keys.join(' ')}`, () => this.#store.delete(keys, options));
  }

  versions(key: string, options?: CallOptions): Promise<readonly ObjectVersion[]> {
    return this.#call(`versions ${key}`, () => this.#store.versions(key, options));
  }

  extendLock(key: string, until: Date | undefined, options?: CallOptions): Promise<Date | undefined> {
    return this.#call(`lock ${key}`, () => this.#store.extendLock(key, until, options));
  }

  probe(options?: ProbeOptions): Promise<StoreProperties> {
    return this.#call('probe', () => this.#store.probe(options));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #call<T>(what: string, call: () => Promise<T>): Promise<T> {
    const kind = this.#plan.next(`${what} on ${this.name}`);
    if (kind === undefined) return call();
    if (kind === 'answer lost' || kind === 'dies after') await call();
    throw new HoldfastError('STORE_UNAVAILABLE', `${what}: ${kind}`);
  }
}
