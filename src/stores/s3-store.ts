// The store on a bucket: SHA-256 checked by the server on every put, put-if-absent where the server really has it.

import { randomBytes } from 'node:crypto';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { fail, isHoldfastError } from '../errors/index.ts';
import { withDeadline, withRetries } from './deadline.ts';
import { sha256Hex } from './file-store.ts';
import { checkKey, checkPrefix, compareKeys } from './keys.ts';
import { makeClient, type S3StoreOptions } from './s3-client.ts';
import { isAbsent, isConflict, translate } from './s3-errors.ts';
import { probeS3 } from './s3-probe.ts';
import type { ByteRange, CallOptions, ListOptions, ObjectInfo, PutOptions, Store, StoreProperties } from './store.ts';

/** The most that one request may delete (Amazon S3 API, DeleteObjects). */
const DELETE_BATCH = 1000;

export class S3Store implements Store {
  readonly name: string;
  readonly location: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  /** Whether `If-None-Match` does what it says here; found out before the first put that relies on it. */
  #conditionalPut: Promise<boolean> | undefined;

  constructor(name: string, options: S3StoreOptions) {
    const prefix = options.prefix?.replace(/^\/+|\/+$/g, '') ?? '';
    this.name = name;
    this.location = `s3://${options.bucket}${prefix && `/${prefix}`}${options.endpoint ? ` at ${options.endpoint}` : ''}`;
    this.#client = makeClient(options);
    this.#bucket = options.bucket;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    checkKey(key);
    const ifAbsent = options.ifAbsent ?? true;
    const sha256 = options.sha256 ?? sha256Hex(bytes);
    await this.#call(`storing '${key}'`, options, async (signal, attempt) => {
      const isConditional = ifAbsent && (await this.#isConditional());
      if (ifAbsent && !isConditional && (await this.#info(key, signal))) {
        return (await this.#isOurs(attempt, key, sha256, signal)) ? undefined : this.#exists(key);
      }
      try {
        const answer = await this.#send(key, bytes, sha256, isConditional, signal);
        if (fromBase64(answer.ChecksumSHA256) !== sha256) await this.#requireStored(key, sha256, signal);
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (!(await this.#isOurs(attempt, key, sha256, signal))) this.#exists(key, error);
      }
    });
  }

  get(key: string, range?: ByteRange, options: CallOptions = {}): Promise<Buffer> {
    checkKey(key);
    if (range?.length === 0) return Promise.resolve(Buffer.alloc(0));
    return this.#call(`reading '${key}'`, options, async (signal) => {
      const last = range && range.offset + range.length - 1;
      const Range = range && `bytes=${range.offset}-${last}`;
      try {
        const command = new GetObjectCommand({ ...this.#where(key), ...(Range && { Range }) });
        const answer = await this.#client.send(command, { abortSignal: signal });
        const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
        const expected = range?.length ?? answer.ContentLength ?? bytes.length;
        if (bytes.length === expected) return bytes;
        // A range past the end is answered with what there is; a whole object cut short is a broken connection.
        const code = range && (answer.ContentLength ?? 0) < range.length ? 'OBJECT_DAMAGED' : 'STORE_UNAVAILABLE';
        return fail(code, `'${key}' on '${this.name}' gave ${bytes.length} bytes, expected ${expected}`);
      } catch (error) {
        if (!isAbsent(error)) throw error;
        return fail('OBJECT_MISSING', `'${key}' is not on '${this.name}'`, { cause: error });
      }
    });
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    checkKey(key);
    return this.#call(`looking for '${key}'`, options, (signal) => this.#info(key, signal));
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    let token: string | undefined;
    let last = options.after ?? '';
    do {
      const page = await this.#call(`listing '${prefix}'`, options, (signal) =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + prefix,
            ...(token === undefined && options.after !== undefined && { StartAfter: this.#prefix + options.after }),
            ...(token !== undefined && { ContinuationToken: token }),
          }),
          { abortSignal: signal },
        ),
      );
      for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        const key = Key.slice(this.#prefix.length);
        if (key.endsWith('/')) continue; // a directory marker of some tool
        if (compareKeys(key, last) <= 0) {
          if (options.after !== undefined && compareKeys(key, options.after) <= 0) continue;
          fail('STORE_UNFIT', `'${this.location}' lists out of order: '${key}' after '${last}'`);
        }
        last = key;
        yield { key, sizeBytes: Size, storedAt: LastModified };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
      if (page.IsTruncated && token === undefined) fail('STORE_UNFIT', `'${this.location}' lists without continuation`);
    } while (token !== undefined);
  }

  async delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key);
    for (let at = 0; at < keys.length; at += DELETE_BATCH) {
      const Objects = keys.slice(at, at + DELETE_BATCH).map((key) => ({ Key: this.#prefix + key }));
      const command = { Bucket: this.#bucket, Delete: { Objects, Quiet: true } };
      await this.#call(`deleting ${Objects.length} objects`, options, async (signal) => {
        const answer = await this.#client.send(new DeleteObjectsCommand(command), { abortSignal: signal });
        const [error] = answer.Errors ?? [];
        if (!error || error.Code === 'NoSuchKey') return;
        const code = error.Code === 'AccessDenied' ? 'STORE_DENIED' : 'STORE_UNAVAILABLE';
        fail(code, `'${error.Key}' was not deleted at ${this.location}: ${error.Code}`);
      });
    }
  }

  probe(options: CallOptions = {}): Promise<StoreProperties> {
    const where = { Bucket: this.#bucket, Key: `${this.#prefix}probe/${randomBytes(8).toString('hex')}` };
    return this.#call('probing', options, (signal) => probeS3(this.#client, where, signal));
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #isConditional(): Promise<boolean> {
    this.#conditionalPut ??= this.probe().then((properties) => properties.conditionalPut);
    this.#conditionalPut.catch(() => {
      this.#conditionalPut = undefined;
    });
    return this.#conditionalPut;
  }

  #send(key: string, bytes: Uint8Array, sha256: string, isConditional: boolean, signal: AbortSignal) {
    const command = new PutObjectCommand({
      ...this.#where(key),
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumAlgorithm: 'SHA256',
      ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
      ...(isConditional && { IfNoneMatch: '*' }),
    });
    return this.#client.send(command, { abortSignal: signal }) as Promise<PutObjectCommandOutput>;
  }

  async #info(key: string, signal: AbortSignal): Promise<ObjectInfo | undefined> {
    try {
      const command = new HeadObjectCommand({ ...this.#where(key), ChecksumMode: 'ENABLED' });
      const answer = await this.#client.send(command, { abortSignal: signal });
      const { ContentLength: sizeBytes = 0, LastModified: storedAt = new Date(0) } = answer;
      const sha256 = fromBase64(answer.ChecksumSHA256);
      return { key, sizeBytes, storedAt, ...(sha256 !== undefined && { sha256 }) };
    } catch (error) {
      if (!isAbsent(error)) throw error;
      // An answer to HEAD has no body: only a listing tells a missing object from a missing bucket.
      const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#prefix + key, MaxKeys: 1 });
      const answer = await this.#client.send(command, { abortSignal: signal });
      if (answer.Contents?.[0]?.Key !== this.#prefix + key) return undefined;
      return fail('STORE_UNAVAILABLE', `'${key}' at ${this.location} is listed but not found`, { cause: error });
    }
  }

  /** The answer to an earlier attempt of this call may have been lost on its way. */
  async #isOurs(attempt: number, key: string, sha256: string, signal: AbortSignal): Promise<boolean> {
    return attempt > 1 && (await this.#holds(key, sha256, signal));
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

  #where(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
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
