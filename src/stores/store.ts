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
  /** How long what is stored with `keep` is locked here, as the configuration says; absent: nothing is. */
  readonly lockForSeconds?: number | undefined;

  /**
   * Stores the whole object, durable when the promise resolves (file: data and directory fsynced; S3: the store's answer with
   * its SHA-256 of our bytes confirmed). `ifAbsent` (default true) throws `OBJECT_EXISTS` and leaves the old bytes alone;
   * atomically where `properties.conditionalPut`. A partly written object is never visible.
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void>;

  /** Whole object, or `length` bytes from `offset` (a range past the end: `OBJECT_DAMAGED`). Throws `OBJECT_MISSING`. */
  get(key: string, range?: ByteRange, options?: GetOptions): Promise<Buffer>;

  /** `undefined` only when the store said that there is no such object. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;

  /**
   * All objects whose key starts with `prefix`, in ascending key order, pages fetched as they are read. A store that keeps versions lists
   * what was stored first under each key: objects never change, so what lies over it (a delete marker, other bytes) is somebody else's
   * doing and hides nothing. What `delete` deleted is gone with its versions.
   */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;

  /** What is and was stored under a key, newest first; nothing where the store keeps no versions. */
  versions(key: string, options?: CallOptions): Promise<readonly ObjectVersion[]>;

  /**
   * Deletes exactly these keys, each version by its id where the store keeps versions, so that nothing lingers; a key that is not there is
   * no error. Throws `OBJECT_LOCKED` after the others are deleted when one is locked.
   */
  delete(keys: readonly string[], options?: CallOptions): Promise<void>;

  /**
   * Locks an object until at least `until` (`undefined`: for the copy's own time from now); never shortens or weakens what is there. Gives
   * until when it is locked after that; does nothing, and gives nothing, on a copy that is not configured to lock.
   * Throws `OBJECT_MISSING`, and `STORE_UNFIT` when the store does not confirm it.
   */
  extendLock(key: string, until: Date | undefined, options?: CallOptions): Promise<Date | undefined>;

  /** Finds out by trying (with objects under `probe/`, removed again) what this store really does. */
  probe(options?: ProbeOptions): Promise<StoreProperties>;

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
  /** Nobody can delete or shorten it before; set with the object itself. Nothing on a copy that is not configured to lock. */
  readonly lockUntil?: Date;
  /** Stored for good: locked for the time that the copy is configured for, unless `lockUntil` says how long. Default false. */
  readonly keep?: boolean;
  /** Large and seldom read (a pack): goes to the storage class that the copy is configured for. Default false. */
  readonly bulk?: boolean;
}

export interface GetOptions extends CallOptions {
  /** Id of one of `versions`; default: the current one. */
  readonly version?: string;
  /**
   * Gives memory of at least so many bytes, at whose start the answer is put. What an attempt that failed was given may still be written to. A store
   * may put the answer elsewhere.
   */
  readonly into?: (bytes: number) => ArrayBuffer;
}

export interface ProbeOptions extends CallOptions {
  /** Also try everything that the configuration asks of the store; a lock takes some seconds, because its scratch object must end. Default false. */
  readonly guarantees?: boolean;
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
  /** From `list`: somebody put a delete marker or another version over it. */
  readonly isCovered?: boolean;
}

export interface ObjectVersion {
  readonly id: string;
  /** 0 for a delete marker. */
  readonly sizeBytes: number;
  readonly storedAt: Date;
  readonly isDeleteMarker: boolean;
}

/** What a store was seen to do. A guarantee that the configuration asks for and the store does not give is an error at `setup`. */
export interface StoreProperties {
  readonly conditionalPut: boolean;
  readonly checksumVerified: boolean;
  readonly checksumAttested: boolean;
  /** `unknown`: the credentials may not ask, and no put told. Nothing is then taken for unversioned. */
  readonly versioned: boolean | 'unknown';
  /** Host clock minus store clock, in milliseconds. */
  readonly clockSkewMs: number;
  /** One for each setting that asks something of the store, as seen on scratch objects. Empty unless asked for. */
  readonly guarantees: readonly Guarantee[];
}

export interface Guarantee {
  /** Key of the configuration, such as `sse`. */
  readonly setting: string;
  readonly asked: string;
  /** What came back, in words. */
  readonly got: string;
  readonly isHeld: boolean;
}
