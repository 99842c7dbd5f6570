// The store on a bucket: SHA-256 checked by the server on every put, put-if-absent where the server really has it, versions where it keeps them.

import { randomBytes } from 'node:crypto';
import { HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { Pace } from './bandwidth.ts';
import { withDeadline, withRetries } from './deadline.ts';
import { sha256Hex } from './file-store.ts';
import { requireHeld } from './guarantees.ts';
import { checkKey, checkPrefix } from './keys.ts';
import { Once } from './once.ts';
import { openAccess, requireAccess, type S3Access, type S3Bucket, whereOf } from './s3-bucket.ts';
import type { S3StoreOptions } from './s3-client.ts';
import { deleteObjects } from './s3-delete.ts';
import { isAbsent, isConflict, translate } from './s3-errors.ts';
import {
  askedOf,
  extendRetention,
  judgeEncryption,
  judgeStored,
  needsLook,
  type S3Guarantees,
} from './s3-guarantees.ts';
import { listCurrent, type Page } from './s3-list.ts';
import { probeGuarantees, probeS3 } from './s3-probe.ts';
import { readObject } from './s3-read.ts';
import { askVersioning, firstStored, type KeyVersions, listVersions } from './s3-versions.ts';
import { type S3Write, writeObject } from './s3-write.ts';
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
} from './store.ts';

/** For a probe that waits until the lock of its scratch object ends. */
const PROBE_DEADLINE_MS = 600_000;

export class S3Store implements Store {
  readonly name: string;
  readonly location: string;
  readonly #access: S3Access;
  readonly #guarantees: S3Guarantees;
  /** Ends what is asked for all callers and by none of them: a closed store must not keep its process. */
  readonly #closing = new AbortController();
  /** Whether `If-None-Match` does what it says here; found out before the first put that relies on it. */
  readonly #conditionalPut = new Once(() =>
    this.probe({ signal: this.#closing.signal }).then((properties) => properties.conditionalPut),
  );
  readonly #versioning = new Once(() =>
    this.#call('asking for versioning', { signal: this.#closing.signal }, (signal) =>
      askVersioning(this.#access.read, signal),
    ),
  );

  constructor(name: string, options: S3StoreOptions) {
    const { prefix: given = '', ...rest } = options;
    const prefix = given.replace(/^\/+|\/+$/g, '');
    const { bucket, endpoint } = options;
    this.name = name;
    this.location = `s3://${bucket}${prefix && `/${prefix}`}${endpoint ? ` at ${endpoint}` : ''}`;
    this.#access = openAccess(name, this.location, prefix === '' ? rest : { ...rest, prefix });
    this.#guarantees = options;
  }

  get lockForSeconds(): number | undefined {
    return this.#guarantees.lock && this.#guarantees.lockForSeconds;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    checkKey(key);
    const ifAbsent = options.ifAbsent ?? true;
    const sha256 = options.sha256 ?? sha256Hex(bytes);
    const asked = askedOf(this.#guarantees, options);
    const bucket = requireAccess(this.#access, 'write');
    await this.#call(`storing '${key}'`, options, async (abortSignal, attempt, pace) => {
      const isConditional = ifAbsent && (await this.#conditionalPut.get());
      const write: S3Write = { key, bytes, sha256, ifNoneMatch: isConditional, asked, pace, abortSignal };
      if (ifAbsent && !isConditional && (await this.#info(bucket, key, abortSignal))) {
        return (await this.#isOurs(bucket, attempt, write)) ? undefined : this.#exists(key);
      }
      try {
        const answer = await writeObject(bucket, write);
        if (fromBase64(answer.ChecksumSHA256) !== sha256) await this.#requireStored(bucket, write);
        requireHeld(this.location, judgeEncryption(asked, answer));
        if (needsLook(asked)) await this.#requireAsked(bucket, write, answer.VersionId);
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (!(await this.#isOurs(bucket, attempt, write))) this.#exists(key, error);
      }
    });
  }

  get(key: string, range?: ByteRange, options: GetOptions = {}): Promise<Buffer> {
    checkKey(key);
    if (range?.length === 0) return Promise.resolve(Buffer.alloc(0));
    return this.#call(`reading '${key}'`, options, (signal, _attempt, pace) =>
      readObject(this.#access.read, key, range, options, signal, pace),
    );
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    checkKey(key);
    return this.#call(`looking for '${key}'`, options, (signal) => this.#info(this.#access.read, key, signal));
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    if (!(await this.#mayKeepVersions(options))) {
      const page: Page = (request) => this.#call(`listing '${prefix}'`, options, request);
      return yield* listCurrent(this.#access.read, prefix, options.after, page);
    }
    for await (const { key, versions } of this.#listVersions(prefix, options)) {
      const first = firstStored(versions);
      if (first === undefined || key.endsWith('/')) continue;
      const { sizeBytes, storedAt } = first;
      yield { key, sizeBytes, storedAt, ...(versions[0] !== first && { isCovered: true }) };
    }
  }

  async versions(key: string, options: CallOptions = {}): Promise<readonly ObjectVersion[]> {
    checkKey(key);
    if (!(await this.#mayKeepVersions(options))) return [];
    for await (const each of this.#listVersions(key, options)) return each.key === key ? each.versions : [];
    return [];
  }

  async delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key);
    if (keys.length === 0) return;
    const bucket = requireAccess(this.#access, 'prune');
    const calls = {
      // Asked anew while the answer was no: a plain deletion in a bucket that became versioned would only cover the object.
      mayKeepVersions: async () =>
        (await this.#mayKeepVersions(options)) || (await this.#versioning.again()) !== 'none',
      versions: (key: string) => this.versions(key, options),
      call: <T>(what: string, call: (signal: AbortSignal) => Promise<T>) => this.#call(what, options, call),
    };
    await deleteObjects(bucket, keys, calls);
  }

  async extendLock(key: string, until: Date | undefined, options: CallOptions = {}): Promise<Date | undefined> {
    checkKey(key);
    const { lock } = askedOf(this.#guarantees, { keep: true, ...(until && { lockUntil: until }) });
    if (lock === undefined) return undefined;
    const first = firstStored(await this.versions(key, options));
    if (first === undefined) fail('OBJECT_MISSING', `'${key}' is not on '${this.name}'`);
    const bucket = requireAccess(this.#access, 'write');
    return this.#call(`locking '${key}'`, options, (signal) =>
      extendRetention(bucket, whereOf(bucket, key), first.id, lock, signal),
    );
  }

  async probe(options: ProbeOptions = {}): Promise<StoreProperties> {
    const bucket = requireAccess(this.#access, 'write');
    const { prune } = this.#access;
    const scratch = { bucket, prune, next: () => whereOf(bucket, `probe/${randomBytes(8).toString('hex')}`) };
    const basic = await this.#call('probing', options, (signal) => probeS3(scratch, signal));
    if (!options.guarantees) return { ...basic, guarantees: [] };
    await this.#requireVersionsReadable(basic.versioned, options);
    const patient = { ...options, deadlineMs: options.deadlineMs ?? PROBE_DEADLINE_MS };
    const guarantees = await this.#call('probing', patient, (signal) =>
      probeGuarantees(scratch, this.#guarantees, basic, signal),
    );
    return { ...basic, guarantees };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const bucket of new Set(Object.values(this.#access))) bucket?.client.destroy();
  }

  /** Known for all callers, waited for as long as this one wants. */
  #mayKeepVersions(options: CallOptions): Promise<boolean> {
    return withDeadline(
      `asking for versioning at ${this.location}`,
      options,
      async () => (await this.#versioning.get()) !== 'none',
    );
  }

  async #info(bucket: S3Bucket, key: string, signal: AbortSignal): Promise<ObjectInfo | undefined> {
    try {
      const command = new HeadObjectCommand({ ...whereOf(bucket, key), ChecksumMode: 'ENABLED' });
      const answer = await bucket.client.send(command, { abortSignal: signal });
      const { ContentLength: sizeBytes = 0, LastModified: storedAt = new Date(0) } = answer;
      const sha256 = fromBase64(answer.ChecksumSHA256);
      return { key, sizeBytes, storedAt, ...(sha256 !== undefined && { sha256 }) };
    } catch (error) {
      if (!isAbsent(error)) throw error;
      // An answer to HEAD has no body: only a listing tells a missing object from a missing bucket.
      const { Bucket, Key } = whereOf(bucket, key);
      const command = new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 });
      const answer = await bucket.client.send(command, { abortSignal: signal });
      if (answer.Contents?.[0]?.Key !== Key) return undefined;
      return fail('STORE_UNAVAILABLE', `'${key}' at ${this.location} is listed but not found`, { cause: error });
    }
  }

  #listVersions(prefix: string, options: ListOptions): AsyncGenerator<KeyVersions> {
    return listVersions(this.#access.read, prefix, options.after, async (request) => {
      try {
        return await this.#call(`listing versions of '${prefix}'`, options, request);
      } catch (error) {
        if (!isHoldfastError(error, 'STORE_DENIED')) throw error;
        throw new HoldfastError('STORE_DENIED', error.message, { cause: error, hint: await this.#versionsHint() });
      }
    });
  }

  /** Throws `STORE_DENIED`, naming the permission, when what is asked for could not be relied on by these credentials. */
  async #requireVersionsReadable(versioned: StoreProperties['versioned'], options: CallOptions): Promise<void> {
    if (versioned === false) return;
    await this.#listVersions('probe/', options).next();
    if (versioned === true || this.#guarantees.lock === undefined) return;
    fail('STORE_DENIED', `whether ${this.location} keeps versions, as 'lock' needs, is not known: asking was refused`, {
      hint: 'give the credentials the permission s3:GetBucketVersioning',
    });
  }

  async #versionsHint(): Promise<string> {
    if ((await this.#versioning.get()) === 'kept') {
      return 'a versioned bucket needs the permission s3:ListBucketVersions; without it a deletion would look like absence';
    }
    return 'give the credentials the permission s3:GetBucketVersioning, and for a versioned bucket s3:ListBucketVersions: without them nobody can tell whether versions are kept';
  }

  /** The answer to an earlier attempt of this call may have been lost on its way. */
  async #isOurs(bucket: S3Bucket, attempt: number, write: S3Write): Promise<boolean> {
    if (attempt === 1 || !(await this.#holds(bucket, write))) return false;
    await this.#requireAsked(bucket, write, undefined);
    return true;
  }

  async #requireAsked(bucket: S3Bucket, write: S3Write, version: string | undefined): Promise<void> {
    const { key, asked, abortSignal } = write;
    requireHeld(this.location, await judgeStored(bucket, whereOf(bucket, key), asked, version, abortSignal));
  }

  /** Whether the object there has this hash: by the server's word, or by reading it. */
  async #holds(bucket: S3Bucket, { key, sha256, pace, abortSignal }: S3Write): Promise<boolean> {
    const attested = (await this.#info(bucket, key, abortSignal))?.sha256;
    return (attested ?? sha256Hex(await readObject(bucket, key, undefined, {}, abortSignal, pace))) === sha256;
  }

  async #requireStored(bucket: S3Bucket, write: S3Write): Promise<void> {
    if (await this.#holds(bucket, write)) return;
    fail('OBJECT_DAMAGED', `'${write.key}' at ${this.location} is not what was just stored there`);
  }

  #exists(key: string, cause?: unknown): never {
    return fail('OBJECT_EXISTS', `'${key}' exists already on '${this.name}'`, { cause });
  }

  #call<T>(
    what: string,
    options: CallOptions,
    call: (signal: AbortSignal, attempt: number, pace: Pace | undefined) => Promise<T>,
  ): Promise<T> {
    return withDeadline(`${what} at ${this.location}`, options, (signal, hold) =>
      withRetries(signal, async (attempt) => {
        const { bandwidth } = this.#access.read;
        const pace = bandwidth && ((bytes: number) => hold(() => bandwidth.take(bytes, signal)));
        try {
          return await call(signal, attempt, pace);
        } catch (error) {
          throw isHoldfastError(error) ? error : translate(what, this.location, error);
        }
      }),
    );
  }
}

function fromBase64(checksum: string | undefined): string | undefined {
  // A checksum over parts (`…-3`) is not that of the bytes.
  if (checksum === undefined || checksum.includes('-')) return undefined;
  return Buffer.from(checksum, 'base64').toString('hex');
}
