// A store whose clock a test sets: what it stores is as old as the test says, and its clock may differ from the host's.

import type { Moment } from '../../src/domain/moment.ts';
import { isHoldfastError } from '../../src/errors/index.ts';
import type {
  CallOptions,
  ListOptions,
  ObjectInfo,
  ProbeOptions,
  PutOptions,
  Store,
  StoreProperties,
} from '../../src/stores/store.ts';
import { DelegatingStore } from './delegating-store.ts';

/** One clock for host and stores; leases go on by the real one. */
export class TestClock {
  now: Moment;
  /** Host minus store, as a probe says. */
  skewMs = 0;
  readonly storedAt = new Map<string, Date>();

  constructor(now: Moment) {
    this.now = now;
  }
}

export class ClockedStore extends DelegatingStore {
  readonly #clock: TestClock;

  constructor(store: Store, clock: TestClock) {
    super(store);
    this.#clock = clock;
  }

  override async put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    try {
      await super.put(key, bytes, options);
    } catch (error) {
      // Another's object keeps its age; one whose answer was lost is there, and of now.
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) this.#note(key);
      throw error;
    }
    this.#note(key);
  }

  #note(key: string): void {
    this.#clock.storedAt.set(`${this.name} ${key}`, new Date(Date.parse(`${this.#clock.now.slice(0, 23)}Z`)));
  }

  override async head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    const info = await super.head(key, options);
    return info && this.#aged(info);
  }

  override async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo> {
    for await (const info of super.list(prefix, options)) yield this.#aged(info);
  }

  override async probe(options?: ProbeOptions): Promise<StoreProperties> {
    return { ...(await super.probe(options)), clockSkewMs: this.#clock.skewMs };
  }

  /** Leases keep the real time, by which they expire. */
  #aged(info: ObjectInfo): ObjectInfo {
    const storedAt = info.key.startsWith('leases/') ? undefined : this.#clock.storedAt.get(`${this.name} ${info.key}`);
    return storedAt === undefined ? info : { ...info, storedAt };
  }
}
