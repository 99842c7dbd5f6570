// A store that hands every call to another one: what test stores that change some calls build on.

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

export class DelegatingStore implements Store {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
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
    return this.around(`put ${key}`, () => this.#store.put(key, bytes, options));
  }

  get(key: string, range?: ByteRange, options?: GetOptions): Promise<Buffer> {
    return this.around(`get ${key}`, () => this.#store.get(key, range, options));
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.around(`head ${key}`, () => this.#store.head(key, options));
  }

  /** A listing is one call, made when its first object is asked for. */
  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo> {
    await this.around(`list ${prefix}`, async () => {});
    yield* this.#store.list(prefix, options);
  }

  delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.around(`delete ${keys.join(' ')}`, () => this.#store.delete(keys, options));
  }

  versions(key: string, options?: CallOptions): Promise<readonly ObjectVersion[]> {
    return this.around(`versions ${key}`, () => this.#store.versions(key, options));
  }

  extendLock(key: string, until: Date | undefined, options?: CallOptions): Promise<Date | undefined> {
    return this.around(`lock ${key}`, () => this.#store.extendLock(key, until, options));
  }

  probe(options?: ProbeOptions): Promise<StoreProperties> {
    return this.around('probe', () => this.#store.probe(options));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Every call but `close` passes here; `what` names it for people. */
  protected around<T>(_what: string, call: () => Promise<T>): Promise<T> {
    return call();
  }
}
