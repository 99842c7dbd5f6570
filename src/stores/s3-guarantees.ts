// What the configuration asks of an S3 store for every object (encryption, class, lock): sent with the object, and compared with what came back.

import {
  GetObjectRetentionCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type ObjectLockRetentionMode,
  type PutObjectCommandInput,
  PutObjectRetentionCommand,
  type StorageClass,
} from '@aws-sdk/client-s3';
import { requireHeld } from './guarantees.ts';
import type { S3Bucket, S3Where } from './s3-bucket.ts';
import { isAbsent, statusOf } from './s3-errors.ts';
import type { Guarantee, PutOptions } from './store.ts';

export interface S3Guarantees {
  /** Retention mode of objects that are stored with `lockUntil` or `keep`. */
  readonly lock?: 'compliance' | 'governance';
  /** Of objects that are stored with `keep`, from when they are stored. */
  readonly lockForSeconds?: number;
  /** Encryption by the store, of bytes that are encrypted already. */
  readonly sse?: 'AES256' | 'aws:kms';
  /** Id, ARN or alias; default: the store's own. */
  readonly kmsKeyId?: string;
  /** Of objects that are stored with `bulk`. */
  readonly storageClass?: string;
}

/** What is asked for one object. */
export interface Asked {
  readonly sse?: 'AES256' | 'aws:kms' | undefined;
  readonly kmsKeyId?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly lock?: { readonly mode: ObjectLockRetentionMode; readonly until: Date } | undefined;
}

/** Amazon S3 does not name this class in its answers. */
const DEFAULT_CLASS = 'STANDARD';

export function askedOf(guarantees: S3Guarantees, options: PutOptions): Asked {
  const { lock, lockForSeconds, sse, kmsKeyId, storageClass } = guarantees;
  const { bulk = false, keep = false } = options;
  const ofCopy = keep && lockForSeconds !== undefined ? new Date(Date.now() + lockForSeconds * 1000) : undefined;
  const lockUntil = options.lockUntil ?? ofCopy;
  return {
    sse,
    kmsKeyId,
    storageClass: bulk && storageClass !== DEFAULT_CLASS ? storageClass : undefined,
    lock: lock && lockUntil && { mode: modeOf(lock), until: wholeSeconds(lockUntil) },
  };
}

function modeOf(lock: NonNullable<S3Guarantees['lock']>): ObjectLockRetentionMode {
  return lock === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE';
}

/** Some servers cut fractions off, which would end the lock earlier than asked. */
function wholeSeconds(time: Date): Date {
  return new Date(Math.ceil(time.getTime() / 1000) * 1000);
}

export function headersOf({ sse, kmsKeyId, storageClass, lock }: Asked): Partial<PutObjectCommandInput> {
  return {
    ...(sse && { ServerSideEncryption: sse }),
    ...(sse === 'aws:kms' && kmsKeyId && { SSEKMSKeyId: kmsKeyId }),
    ...(storageClass && { StorageClass: storageClass as StorageClass }),
    ...(lock && { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: lock.until }),
  };
}

type Encrypted = Pick<HeadObjectCommandOutput, 'ServerSideEncryption' | 'SSEKMSKeyId'>;

/** Every answer to a put says how the object was encrypted. */
export function judgeEncryption({ sse, kmsKeyId }: Asked, answer: Encrypted): Guarantee[] {
  if (sse === undefined) return [];
  const got = answer.ServerSideEncryption ?? 'no encryption';
  const judged = [{ setting: 'sse', asked: sse, got, isHeld: got === sse }];
  if (sse !== 'aws:kms' || kmsKeyId === undefined) return judged;
  const key = answer.SSEKMSKeyId ?? 'no key';
  return [
    ...judged,
    { setting: 'kmsKeyId', asked: kmsKeyId, got: key, isHeld: isSameKey(kmsKeyId, answer.SSEKMSKeyId) },
  ];
}

/** The answer names the key by its ARN; what an alias stands for only the store knows. */
function isSameKey(asked: string, got: string | undefined): boolean {
  if (got === undefined) return false;
  return asked === got || /(^|:)alias\//.test(asked) || got.endsWith(`:key/${asked}`);
}

/** Whether an answer to a put is not enough to know: class and lock are told by the object alone. */
export function needsLook({ storageClass, lock }: Asked): boolean {
  return storageClass !== undefined || lock !== undefined;
}

/** Looks at the stored object, and at its retention where HEAD does not tell it. */
export async function judgeStored(
  bucket: S3Bucket,
  where: S3Where,
  asked: Asked,
  version: string | undefined,
  abortSignal: AbortSignal,
): Promise<Guarantee[]> {
  const answer = await bucket.client.send(new HeadObjectCommand(where), { abortSignal });
  const { storageClass, lock } = asked;
  const judged = judgeEncryption(asked, answer);
  if (storageClass !== undefined) {
    const got = answer.StorageClass ?? DEFAULT_CLASS;
    judged.push({ setting: 'storageClass', asked: storageClass, got, isHeld: got === storageClass });
  }
  if (lock === undefined) return judged;
  const seen = await retentionOf(bucket, where, version ?? answer.VersionId, abortSignal);
  const got = seen === undefined ? 'no lock' : `${seen.mode} until ${seen.until.toISOString()}`;
  const isHeld = seen?.mode === lock.mode && seen.until.getTime() >= lock.until.getTime();
  return [...judged, { setting: 'lock', asked: `${lock.mode} until ${lock.until.toISOString()}`, got, isHeld }];
}

export interface Retention {
  readonly mode: ObjectLockRetentionMode;
  readonly until: Date;
}

/** `undefined` when the store says that the version is not locked, or that its bucket cannot lock. */
export async function retentionOf(
  { client }: S3Bucket,
  where: S3Where,
  VersionId: string | undefined,
  abortSignal: AbortSignal,
): Promise<Retention | undefined> {
  try {
    const command = new GetObjectRetentionCommand({ ...where, ...(VersionId !== undefined && { VersionId }) });
    const { Mode, RetainUntilDate } = (await client.send(command, { abortSignal })).Retention ?? {};
    return Mode && RetainUntilDate && { mode: Mode, until: RetainUntilDate };
  } catch (error) {
    // `NoSuchObjectLockConfiguration` (404), or `InvalidRequest` (400) from a bucket without Object Lock.
    if (isAbsent(error) || statusOf(error) === 400) return undefined;
    throw error;
  }
}

/** Never shortens, and never turns compliance into governance. Gives the end that is there afterwards, read back. */
export async function extendRetention(
  bucket: S3Bucket,
  where: S3Where,
  VersionId: string,
  wanted: Retention,
  abortSignal: AbortSignal,
): Promise<Date> {
  const until = wholeSeconds(wanted.until);
  const present = await retentionOf(bucket, where, VersionId, abortSignal);
  if (present && isAsStrong(present, { ...wanted, until })) return present.until;
  const mode = present?.mode === 'COMPLIANCE' ? 'COMPLIANCE' : wanted.mode;
  const later = new Date(Math.max(until.getTime(), present?.until.getTime() ?? 0));
  const Retention = { Mode: mode, RetainUntilDate: later };
  await bucket.client.send(new PutObjectRetentionCommand({ ...where, VersionId, Retention }), { abortSignal });
  const seen = await retentionOf(bucket, where, VersionId, abortSignal);
  if (seen && isAsStrong(seen, { mode, until })) return seen.until;
  const got = seen === undefined ? 'no lock' : `${seen.mode} until ${seen.until.toISOString()}`;
  requireHeld(bucket.location, [
    { setting: 'lock', asked: `${mode} until ${later.toISOString()}`, got, isHeld: false },
  ]);
  return later;
}

function isAsStrong(seen: Retention, wanted: Retention): boolean {
  const isModeEnough = seen.mode === wanted.mode || seen.mode === 'COMPLIANCE';
  return isModeEnough && seen.until.getTime() >= wanted.until.getTime();
}
