// A store in memory that keeps the whole storage contract, with versions or without, for tests of many small steps.

import { createHash, randomBytes } from 'node:crypto';
import { fail, HoldfastError, isHoldfastError } from '../../src/errors/index.ts';
import { checkKey, checkPrefix } from '../../src/stores/keys.ts';
import type {
  ByteRange,
  CallOptions,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectVersion,
  PutOptions,
  Store,
  StoreProperties,
} from '../../src/stores/store.ts';

/** As many as a bucket could give at once, but small, so that a listing is read in several parts here too. */
const PAGE = 50;

interface Version extends ObjectVersion {
  readonly bytes: Buffer;
}

/** What a store lies on: taken away, put back, remembered as it was. */
export class MemoryDisk {
  /** By key, what was stored first first; never empty, never changed in place. */
  readonly #objects: Map<string, readonly Version[]>;
  /** Sorted. */
  readonly #keys: string[];

  constructor(like?: MemoryDisk) {
    this.#objects = new Map(like?.all());
    this.#keys = [...this.#objects.keys()].sort();
  }

  all(): ReadonlyMap<string, readonly Version[]> {
    return this.#objects;
  }

  get(key: string): readonly Version[] {
    return this.#objects.get(key) ?? [];
  }

  set(key: string, versions: readonly Version[]): void {
    if (!this.#objects.has(key)) this.#keys.splice(this.#firstFrom(key), 0, key);
    this.#objects.set(key, versions);
  }

  delete(key: string): void {
    if (this.#objects.delete(key)) this.#keys.splice(this.#firstFrom(key), 1);
  }

  /** The first keys with this prefix after another. */
  page(prefix: string, after: string): readonly string[] {
    const keys: string[] = [];
    for (let at = this.#firstFrom(after < prefix ? prefix : after); keys.length < PAGE; at++) {
      const key = this.#keys[at];
      if (key === undefined || !key.startsWith(prefix)) break;
      if (key > after) keys.push(key);
    }
    return keys;
  }

  #firstFrom(key: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class MemoryStore implements Store {
  readonly name: string;
  readonly location: string;
  readonly isVersioned: boolean;
  /** `undefined`: it is away, and every call says so. */
  disk: MemoryDisk | undefined = new MemoryDisk();

  constructor(name: string, { isVersioned = false } = {}) {
    this.name = name;
    this.location = `memory:${name}`;
    this.isVersioned = isVersioned;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    const disk = this.#reach(options, () => checkKey(key));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (options.sha256 !== undefined && options.sha256 !== sha256) {
      fail('STORE_UNAVAILABLE', `'${key}' came to '${this.name}' with other bytes`);
    }
    const there = disk.get(key);
    if ((options.ifAbsent ?? true) && there.at(-1)?.isDeleteMarker === false) {
      fail('OBJECT_EXISTS', `'${key}' exists already on '${this.name}'`);
    }
    this.#add(disk, key, Buffer.from(bytes), false);
  }

  async get(key: string, range?: ByteRange, options: GetOptions = {}): Promise<Buffer> {
    const versions = this.#reach(options, () => checkKey(key)).get(key);
    if (options.version !== undefined && !this.isVersioned) {
      fail('INTERNAL', `'${this.name}' keeps no version '${options.version}' of '${key}'`);
    }
    const wanted = options.version === undefined ? versions.at(-1) : versions.find(({ id }) => id === options.version);
    if (wanted === undefined || wanted.isDeleteMarker) {
      return fail('OBJECT_MISSING', `'${key}' is not on '${this.name}'`);
    }
    const { offset, length } = range ?? { offset: 0, length: wanted.sizeBytes };
    if (offset + length > wanted.sizeBytes) {
      const { sizeBytes } = wanted;
      fail('OBJECT_DAMAGED', `'${key}' on '${this.name}' has ${sizeBytes} bytes, expected at least ${offset + length}`);
    }
    return Buffer.from(wanted.bytes.subarray(offset, offset + length));
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const last = this.#reach(options, () => checkKey(key))
      .get(key)
      .at(-1);
    return last === undefined || last.isDeleteMarker ? undefined : infoOf(key, last);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    for (let after = options.after ?? ''; ; ) {
      const disk = this.#reach(options);
      const keys = disk.page(prefix, after);
      for (const key of keys) {
        const versions = disk.get(key);
        const first = versions.find(({ isDeleteMarker }) => !isDeleteMarker);
        if (first !== undefined) yield { ...infoOf(key, first), ...(versions.at(-1) !== first && { isCovered: true }) };
        after = key;
      }
      if (keys.length < PAGE) return;
    }
  }

  async versions(key: string, options: CallOptions = {}): Promise<readonly ObjectVersion[]> {
    const versions = this.#reach(options, () => checkKey(key)).get(key);
    if (!this.isVersioned) return [];
    return versions.map(({ bytes: _, ...version }) => version).reverse();
  }

  async delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    const disk = this.#reach(options, () => keys.forEach(checkKey));
    for (const key of keys) disk.delete(key);
  }

  /** It is not configured to lock. */
  async extendLock(key: string): Promise<undefined> {
    checkKey(key);
  }

  async probe(options: CallOptions = {}): Promise<StoreProperties> {
    const key = `probe/${randomBytes(8).toString('hex')}`;
    await this.put(key, Buffer.from('first'), options);
    let conditionalPut = false;
    try {
      await this.put(key, Buffer.from('second'), options);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
      conditionalPut = (await this.get(key, undefined, options)).toString() === 'first';
    }
    await this.delete([key], options);
    const checksum = { checksumVerified: true, checksumAttested: false };
    return {
      ...{ conditionalPut, ...checksum, versioned: this.isVersioned },
      ...{ clockSkewMs: 0, guarantees: [] },
    };
  }

  async close(): Promise<void> {}

  /** As somebody who may delete in a versioned bucket, but no version of it. */
  cover(key: string): void {
    if (!this.isVersioned) fail('INTERNAL', `'${this.name}' keeps no versions`);
    this.#add(this.#reach({}), key, Buffer.alloc(0), true);
  }

  #add(disk: MemoryDisk, key: string, bytes: Buffer, isDeleteMarker: boolean): void {
    const id = randomBytes(8).toString('hex');
    const version = { id, bytes, sizeBytes: bytes.length, storedAt: new Date(), isDeleteMarker };
    disk.set(key, this.isVersioned ? [...disk.get(key), version] : [version]);
  }

  #reach({ signal }: CallOptions, check?: () => void): MemoryDisk {
    check?.();
    if (signal?.aborted) throw new HoldfastError('CANCELLED', `a call of '${this.name}' was cancelled`);
    return this.disk ?? fail('STORE_UNAVAILABLE', `'${this.name}' is away`);
  }
}

function infoOf(key: string, { sizeBytes, storedAt }: Version): ObjectInfo {
  return { key, sizeBytes, storedAt };
}
