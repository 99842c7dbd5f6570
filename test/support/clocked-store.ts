// A store whose clock a test sets: what it stores is as old as the test says, and its clock may differ from the host's.

import type { Moment } from '../../src/domain/moment.ts';
import { isHoldfastError } from '../../src/errors/index.ts';
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

export class ClockedStore implements Store {
  readonly #store: Store;
  readonly #clock: TestClock;

  constructor(store: Store, clock: TestClock) {
    this.#store = store;
    this.#clock = clock;
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

  async put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    try {
      await this.#store.put(key, bytes, options);
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

  get(key: string, range?: ByteRange, options?: GetOptions): Promise<Buffer> {
    return this.#store.get(key, range, options);
  }

  async head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    const info = await this.#store.head(key, options);
    return info && this.#aged(info);
  }

  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo> {
    for await (const info of this.#store.list(prefix, options)) yield this.#aged(info);
  }

  versions(key: string, options?: CallOptions): Promise<readonly ObjectVersion[]> {
    return this.#store.versions(key, options);
  }

  extendLock(key: string, until: Date | undefined, options?: CallOptions): Promise<Date | undefined> {
    return this.#store.extendLock(key, until, options);
  }

  delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.#store.delete(keys, options);
  }

  async probe(options?: ProbeOptions): Promise<StoreProperties> {
    return { ...(await this.#store.probe(options)), clockSkewMs: this.#clock.skewMs };
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Leases keep the real time, by which they expire. */
  #aged(info: ObjectInfo): ObjectInfo {
    const storedAt = info.key.startsWith('leases/') ? undefined : this.#clock.storedAt.get(`${this.name} ${info.key}`);
    return storedAt === undefined ? info : { ...info, storedAt };
  }
}
