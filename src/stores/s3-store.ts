// The store on a bucket: SHA-256 checked by the server on every put, put-if-absent where the server really has it, versions where it keeps them.

import { randomBytes } from 'node:crypto';
import {
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import { withDeadline, withRetries } from './deadline.ts';
import { sha256Hex } from './file-store.ts';
import { checkKey, checkPrefix } from './keys.ts';
import { Once } from './once.ts';
import { type S3Bucket, whereOf } from './s3-bucket.ts';
import { makeClient, type S3StoreOptions } from './s3-client.ts';
import { deleteObjects } from './s3-delete.ts';
import { isAbsent, isConflict, translate } from './s3-errors.ts';
import {
  type Asked,
  askedOf,
  extendRetention,
  headersOf,
  judgeEncryption,
  judgeStored,
  modeOf,
  needsLook,
  requireHeld,
  type S3Guarantees,
} from './s3-guarantees.ts';
import { listCurrent, type Page } from './s3-list.ts';
import { probeGuarantees, probeS3 } from './s3-probe.ts';
import { readObject } from './s3-read.ts';
import { firstStored, isVersioned, type KeyVersions, listVersions } from './s3-versions.ts';
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
  readonly #bucket: S3Bucket;
  readonly #guarantees: S3Guarantees;
  /** Whether `If-None-Match` does what it says here; found out before the first put that relies on it. */
  readonly #conditionalPut = new Once(() => this.probe().then((properties) => properties.conditionalPut));
  readonly #versioned = new Once(() =>
    this.#call('asking for versioning', {}, (signal) => isVersioned(this.#bucket, signal)),
  );

  constructor(name: string, options: S3StoreOptions) {
    const prefix = options.prefix?.replace(/^\/+|\/+$/g, '') ?? '';
    const { bucket, endpoint } = options;
    this.name = name;
    this.location = `s3://${bucket}${prefix && `/${prefix}`}${endpoint ? ` at ${endpoint}` : ''}`;
    const place = { name, location: this.location, bucket, prefix: prefix === '' ? '' : `${prefix}/` };
    this.#bucket = { ...place, client: makeClient(options) };
    this.#guarantees = options;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    checkKey(key);
    const ifAbsent = options.ifAbsent ?? true;
    const sha256 = options.sha256 ?? sha256Hex(bytes);
    const asked = askedOf(this.#guarantees, options);
    await this.#call(`storing '${key}'`, options, async (signal, attempt) => {
      const isConditional = ifAbsent && (await this.#conditionalPut.get());
      if (ifAbsent && !isConditional && (await this.#info(key, signal))) {
        return (await this.#isOurs(attempt, key, sha256, asked, signal)) ? undefined : this.#exists(key);
      }
      try {
        const answer = await this.#send(key, bytes, sha256, isConditional, asked, signal);
        if (fromBase64(answer.ChecksumSHA256) !== sha256) await this.#requireStored(key, sha256, signal);
        requireHeld(this.location, judgeEncryption(asked, answer));
        if (needsLook(asked)) await this.#requireAsked(key, asked, answer.VersionId, signal);
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (!(await this.#isOurs(attempt, key, sha256, asked, signal))) this.#exists(key, error);
      }
    });
  }

  get(key: string, range?: ByteRange, options: GetOptions = {}): Promise<Buffer> {
    checkKey(key);
    if (range?.length === 0) return Promise.resolve(Buffer.alloc(0));
    return this.#call(`reading '${key}'`, options, (signal) =>
      readObject(this.#bucket, key, range, options.version, signal),
    );
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    checkKey(key);
    return this.#call(`looking for '${key}'`, options, (signal) => this.#info(key, signal));
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    if (!(await this.#versioned.get())) {
      const page: Page = (request) => this.#call(`listing '${prefix}'`, options, request);
      return yield* listCurrent(this.#bucket, prefix, options.after, page);
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
    if (!(await this.#versioned.get())) return [];
    for await (const each of this.#listVersions(key, options)) return each.key === key ? each.versions : [];
    return [];
  }

  async delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key);
    if (keys.length === 0) return;
    const calls = {
      // Asked anew while the answer was no: a plain deletion in a bucket that became versioned would only cover the object.
      isVersioned: async () => (await this.#versioned.get()) || this.#versioned.again(),
      versions: (key: string) => this.versions(key, options),
      call: <T>(what: string, call: (signal: AbortSignal) => Promise<T>) => this.#call(what, options, call),
    };
    await deleteObjects(this.#bucket, keys, calls);
  }

  async extendLock(key: string, until: Date, options: CallOptions = {}): Promise<void> {
    checkKey(key);
    const { lock } = this.#guarantees;
    if (lock === undefined) return;
    const first = firstStored(await this.versions(key, options));
    if (first === undefined) fail('OBJECT_MISSING', `'${key}' is not on '${this.name}'`);
    const wanted = { mode: modeOf(lock), until };
    await this.#call(`locking '${key}'`, options, (signal) =>
      extendRetention(this.#bucket, this.#where(key), first.id, wanted, signal),
    );
  }

  async probe(options: ProbeOptions = {}): Promise<StoreProperties> {
    const scratch = () => this.#where(`probe/${randomBytes(8).toString('hex')}`);
    const basic = await this.#call('probing', options, (signal) => probeS3(this.#bucket, scratch(), signal));
    if (!options.guarantees) return { ...basic, guarantees: [] };
    const patient = { ...options, deadlineMs: options.deadlineMs ?? PROBE_DEADLINE_MS };
    const guarantees = await this.#call('probing', patient, (signal) =>
      probeGuarantees(this.#bucket, scratch, this.#guarantees, basic, signal),
    );
    return { ...basic, guarantees };
  }

  async close(): Promise<void> {
    this.#bucket.client.destroy();
  }

  #send(key: string, bytes: Uint8Array, sha256: string, ifNoneMatch: boolean, asked: Asked, abortSignal: AbortSignal) {
    const command = new PutObjectCommand({
      ...this.#where(key),
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumAlgorithm: 'SHA256',
      ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
      ...headersOf(asked),
      ...(ifNoneMatch && { IfNoneMatch: '*' }),
    });
    return this.#bucket.client.send(command, { abortSignal }) as Promise<PutObjectCommandOutput>;
  }

  async #info(key: string, signal: AbortSignal): Promise<ObjectInfo | undefined> {
    try {
      const command = new HeadObjectCommand({ ...this.#where(key), ChecksumMode: 'ENABLED' });
      const answer = await this.#bucket.client.send(command, { abortSignal: signal });
      const { ContentLength: sizeBytes = 0, LastModified: storedAt = new Date(0) } = answer;
      const sha256 = fromBase64(answer.ChecksumSHA256);
      return { key, sizeBytes, storedAt, ...(sha256 !== undefined && { sha256 }) };
    } catch (error) {
      if (!isAbsent(error)) throw error;
      // An answer to HEAD has no body: only a listing tells a missing object from a missing bucket.
      const { Bucket, Key } = this.#where(key);
      const command = new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 });
      const answer = await this.#bucket.client.send(command, { abortSignal: signal });
      if (answer.Contents?.[0]?.Key !== Key) return undefined;
      return fail('STORE_UNAVAILABLE', `'${key}' at ${this.location} is listed but not found`, { cause: error });
    }
  }

  #listVersions(prefix: string, options: ListOptions): AsyncGenerator<KeyVersions> {
    return listVersions(this.#bucket, prefix, options.after, async (request) => {
      try {
        return await this.#call(`listing versions of '${prefix}'`, options, request);
      } catch (error) {
        if (!isHoldfastError(error, 'STORE_DENIED')) throw error;
        const hint =
          'a versioned bucket needs the permission s3:ListBucketVersions; without it a deletion would look like absence';
        throw new HoldfastError('STORE_DENIED', error.message, { cause: error, hint });
      }
    });
  }

  /** The answer to an earlier attempt of this call may have been lost on its way. */
  async #isOurs(attempt: number, key: string, sha256: string, asked: Asked, signal: AbortSignal): Promise<boolean> {
    if (attempt === 1 || !(await this.#holds(key, sha256, signal))) return false;
    await this.#requireAsked(key, asked, undefined, signal);
    return true;
  }

  async #requireAsked(key: string, asked: Asked, version: string | undefined, signal: AbortSignal): Promise<void> {
    requireHeld(this.location, await judgeStored(this.#bucket, this.#where(key), asked, version, signal));
  }

  /** Whether the object there has this hash: by the server's word, or by reading it. */
  async #holds(key: string, sha256: string, signal: AbortSignal): Promise<boolean> {
    const attested = (await this.#info(key, signal))?.sha256;
    return (attested ?? sha256Hex(await this.get(key, undefined, { signal }))) === sha256;
  }

  async #requireStored(key: string, sha256: string, signal: AbortSignal): Promise<void> {
    if (await this.#holds(key, sha256, signal)) return;
    fail('OBJECT_DAMAGED', `'${key}' at ${this.location} is not what was just stored there`);
  }

  #exists(key: string, cause?: unknown): never {
    return fail('OBJECT_EXISTS', `'${key}' exists already on '${this.name}'`, { cause });
  }

  #where(key: string) {
    return whereOf(this.#bucket, key);
  }

  #call<T>(what: string, options: CallOptions, call: (signal: AbortSignal, attempt: number) => Promise<T>): Promise<T> {
    return withDeadline(`${what} at ${this.location}`, options, (signal) =>
      withRetries(signal, async (attempt) => {
        try {
          return await call(signal, attempt);
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
