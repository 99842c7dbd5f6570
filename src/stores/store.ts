// The storage contract: what the vault asks of a directory or a bucket, and nothing more.

/**
 * Keys are relative, `/`-separated, made of `[A-Za-z0-9._-]` parts (never `..`, never empty).
 * Every method takes an `AbortSignal` and its own deadline; a call that got no answer throws `STORE_UNAVAILABLE` (retryable),
 * refused credentials throw `STORE_DENIED`. Nothing ever answers "absent" because of an error.
 */
export interface Store {
  /** Name of the copy in the configuration; used in messages. */
  readonly name: string;
  /** For people: `file:/var/backups/holdfast` or `s3://bucket/prefix at endpoint`. */
  readonly location: string;

  /**
   * Stores the whole object, durable when the promise resolves (file: data and directory fsynced; S3: the store's answer with
   * its SHA-256 of our bytes confirmed). `ifAbsent` (default true) throws `OBJECT_EXISTS` and leaves the old bytes alone;
   * atomically where `properties.conditionalPut`. A partly written object is never visible.
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void>;

  /** Whole object, or `length` bytes from `offset` (a range past the end: `OBJECT_DAMAGED`). Throws `OBJECT_MISSING`. */
  get(key: string, range?: ByteRange, options?: CallOptions): Promise<Buffer>;

  /** `undefined` only when the store said that there is no such object. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;

  /** All objects whose key starts with `prefix`, in ascending key order, pages fetched as they are read. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;

  /** Deletes exactly these keys; a key that is not there is no error. */
  delete(keys: readonly string[], options?: CallOptions): Promise<void>;

  /** Finds out by trying (with objects under `probe/`, removed again) what this store really does. */
  probe(options?: CallOptions): Promise<StoreProperties>;

  close(): Promise<void>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Our own deadline for the whole call with its retries; default 60,000. */
  readonly deadlineMs?: number;
}

export interface PutOptions extends CallOptions {
  readonly ifAbsent?: boolean;
  /** Lower-case hexadecimal SHA-256 of the bytes, when the caller has it already. */
  readonly sha256?: string;
}

export interface ListOptions extends CallOptions {
  /** Only keys after this one, in key order. */
  readonly after?: string;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** By the store's clock. */
  readonly storedAt: Date;
  /** Lower-case hexadecimal SHA-256 attested by the store itself, where it does (from `head`, rarely from `list`). */
  readonly sha256?: string;
}

/** What a store was seen to do. A guarantee that the configuration asks for and the store does not give is an error at `setup`. */
export interface StoreProperties {
  readonly conditionalPut: boolean;
  readonly checksumVerified: boolean;
  readonly checksumAttested: boolean;
  readonly versioned: boolean;
  readonly objectLock: boolean;
  /** Host clock minus store clock, in milliseconds. */
  readonly clockSkewMs: number;
}
