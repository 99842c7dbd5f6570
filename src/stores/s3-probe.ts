// Finding out by trying what an S3 server really does: some ignore a header that others obey.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Bucket, S3Where } from './s3-bucket.ts';
import { isConflict, statusOf } from './s3-errors.ts';
import {
  type Asked,
  askedOf,
  headersOf,
  judgeEncryption,
  judgeStored,
  needsLook,
  retentionOf,
  type S3Guarantees,
} from './s3-guarantees.ts';
import { askVersioning } from './s3-versions.ts';
import type { Guarantee, StoreProperties } from './store.ts';

/** Where scratch objects are made and removed again; `prune`: who may delete, if anybody. */
export interface Scratch {
  readonly bucket: S3Bucket;
  readonly prune: S3Bucket | undefined;
  next(): S3Where;
}

type BasicProperties = Omit<StoreProperties, 'guarantees'>;

/** Stores, tries to overwrite, and removes a scratch object. */
export async function probeS3(scratch: Scratch, abortSignal: AbortSignal): Promise<BasicProperties> {
  const { bucket } = scratch;
  const { client } = bucket;
  const where = scratch.next();
  const startedMs = Date.now();
  const versions: (string | undefined)[] = [];
  try {
    versions.push((await client.send(putOf(where, 'first'), { abortSignal })).VersionId);
    const storedMs = Date.now();
    const head = await client.send(new HeadObjectCommand({ ...where, ChecksumMode: 'ENABLED' }), { abortSignal });
    return {
      conditionalPut: await isConditional(bucket, where, versions, abortSignal),
      checksumVerified: await isVerified(bucket, where, versions, abortSignal),
      checksumAttested: head.ChecksumSHA256 === base64('first'),
      versioned: await keepsVersions(bucket, versions, abortSignal),
      clockSkewMs: skewMs(startedMs, storedMs, head.LastModified),
    };
  } finally {
    for (const version of versions) await tidy(scratch, where, version, abortSignal);
  }
}

/** In a versioned bucket each version by its id, so that nothing lingers. */
async function remove({ client }: S3Bucket, where: S3Where, VersionId: string | undefined, abortSignal: AbortSignal) {
  await client.send(new DeleteObjectCommand({ ...where, ...(VersionId !== undefined && { VersionId }) }), {
    abortSignal,
  });
}

/** A scratch object that stays is a few bytes that mean nothing. */
async function tidy({ prune }: Scratch, where: S3Where, version: string | undefined, abortSignal: AbortSignal) {
  if (prune) await remove(prune, where, version, abortSignal).catch(() => {});
}

function putOf(where: S3Where, text: string, checksum = base64(text)): PutObjectCommand {
  return new PutObjectCommand({ ...where, Body: text, ChecksumAlgorithm: 'SHA256', ChecksumSHA256: checksum });
}

function base64(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

type Versions = (string | undefined)[];

async function isConditional({ client }: S3Bucket, where: S3Where, versions: Versions, abortSignal: AbortSignal) {
  try {
    const command = putOf(where, 'second');
    command.input.IfNoneMatch = '*';
    versions.push((await client.send(command, { abortSignal })).VersionId);
    return false; // the header was ignored
  } catch (error) {
    if (statusOf(error) === 501) return false;
    if (!isConflict(error)) throw error;
  }
  const answer = await client.send(new GetObjectCommand(where), { abortSignal });
  return (await answer.Body?.transformToString()) === 'first';
}

async function isVerified({ client }: S3Bucket, where: S3Where, versions: Versions, abortSignal: AbortSignal) {
  try {
    versions.push((await client.send(putOf(where, 'third', base64('other')), { abortSignal })).VersionId);
    return false;
  } catch (error) {
    if (statusOf(error) !== 400) throw error;
    return true;
  }
}

/** A put that is answered with an id of its own says more than a setting that nobody may read. A suspended bucket answers `null`. */
async function keepsVersions(bucket: S3Bucket, versions: Versions, abortSignal: AbortSignal) {
  if (versions.some((id) => id !== undefined && id !== 'null')) return true;
  const versioning = await askVersioning(bucket, abortSignal);
  return versioning === 'unknown' ? versioning : versioning === 'kept';
}

/** Servers tell whole seconds, so that less than one is no skew. */
function skewMs(startedMs: number, storedMs: number, storedAt: Date | undefined): number {
  if (!storedAt) return 0;
  const earliestMs = storedAt.getTime();
  const latestMs = earliestMs + 999;
  if (startedMs > latestMs) return startedMs - latestMs;
  return storedMs < earliestMs ? storedMs - earliestMs : 0;
}

/** How long the scratch object is locked; longer when the deletion came too late to tell. */
const LOCK_MS = [6_000, 60_000] as const;

/** Asks for each setting by itself, with a scratch object each, so that one that fails tells nothing about the others. */
export async function probeGuarantees(
  scratch: Scratch,
  guarantees: S3Guarantees,
  { clockSkewMs }: Pick<BasicProperties, 'clockSkewMs'>,
  abortSignal: AbortSignal,
): Promise<Guarantee[]> {
  const { sse, kmsKeyId, storageClass, lock } = guarantees;
  const seen: Guarantee[] = [];
  if (sse) {
    const asked = askedOf({ sse, ...(kmsKeyId !== undefined && { kmsKeyId }) }, {});
    seen.push(...(await tryOne(scratch, asked, 'sse', sse, abortSignal)));
  }
  if (storageClass) {
    const asked = askedOf({ storageClass }, { bulk: true });
    seen.push(...(await tryOne(scratch, asked, 'storageClass', storageClass, abortSignal)));
  }
  if (lock) seen.push(await tryLock(scratch, lock, clockSkewMs, abortSignal));
  return seen;
}

async function tryOne(
  scratch: Scratch,
  asked: Asked,
  setting: string,
  text: string,
  abortSignal: AbortSignal,
): Promise<Guarantee[]> {
  const { bucket } = scratch;
  const where = scratch.next();
  let version: string | undefined;
  try {
    const answer = await putAsked(bucket, where, asked, abortSignal);
    version = answer.VersionId;
    const judged = judgeEncryption(asked, answer);
    if (needsLook(asked)) judged.push(...(await judgeStored(bucket, where, asked, version, abortSignal)));
    return judged.length > 0 ? judged : [{ setting, asked: text, got: text, isHeld: true }];
  } catch (error) {
    return [refused(setting, text, error)];
  } finally {
    await tidy(scratch, where, version, abortSignal);
  }
}

function putAsked({ client }: S3Bucket, where: S3Where, asked: Asked, abortSignal: AbortSignal) {
  const command = putOf(where, 'asked');
  Object.assign(command.input, headersOf(asked));
  return client.send(command, { abortSignal });
}

/** A server that answers with an error what it takes without the setting does not give it. One that is busy or away tells nothing. */
function refused(setting: string, asked: string, error: unknown): Guarantee {
  const status = statusOf(error);
  if (status === undefined || status === 403 || status === 429 || status === 503) throw error;
  return { setting, asked, got: `${status} ${(error as Error).name}`, isHeld: false };
}

/** The mode must be read back, and a deletion of the locked version must really be refused. */
async function tryLock(
  scratch: Scratch,
  lock: NonNullable<S3Guarantees['lock']>,
  clockSkewMs: number,
  abortSignal: AbortSignal,
): Promise<Guarantee> {
  const { bucket, prune } = scratch;
  for (const lockMs of LOCK_MS) {
    const lockUntil = new Date(Date.now() - clockSkewMs + lockMs);
    const asked = askedOf({ lock }, { lockUntil });
    const until = asked.lock?.until ?? lockUntil;
    const where = scratch.next();
    try {
      const { VersionId } = await putAsked(bucket, where, asked, abortSignal);
      const [judged] = await judgeStored(bucket, where, asked, VersionId, abortSignal);
      if (!judged?.isHeld) {
        await tidy(scratch, where, VersionId, abortSignal);
        return { setting: 'lock', asked: lock, got: judged?.got ?? 'no lock', isHeld: false };
      }
      // Whoever may not delete at all learns nothing from being refused.
      if (!prune) return { setting: 'lock', asked: lock, got: `${judged.got}, no deletion tried`, isHeld: true };
      const wasRefused = await refusesDeletion(prune, where, VersionId, abortSignal);
      const isOver = Date.now() - clockSkewMs >= until.getTime();
      if (!wasRefused && isOver) continue;
      if (wasRefused) await removeAfter(scratch, where, VersionId, until, clockSkewMs, abortSignal);
      const got = wasRefused ? judged.got : `${judged.got}, but the locked version could be deleted`;
      return { setting: 'lock', asked: lock, got, isHeld: wasRefused };
    } catch (error) {
      return refused('lock', lock, error);
    }
  }
  return { setting: 'lock', asked: lock, got: 'no answer while the lock lasted', isHeld: false };
}

async function refusesDeletion(
  bucket: S3Bucket,
  where: S3Where,
  version: string | undefined,
  abortSignal: AbortSignal,
): Promise<boolean> {
  try {
    await remove(bucket, where, version, abortSignal);
    return false;
  } catch (error) {
    if (statusOf(error) !== 403 && statusOf(error) !== 409 && statusOf(error) !== 400) throw error;
    // Some servers answer that they deleted nothing: only what is still there counts.
    return (await retentionOf(bucket, where, version, abortSignal)) !== undefined;
  }
}

async function removeAfter(
  scratch: Scratch,
  where: S3Where,
  version: string | undefined,
  until: Date,
  clockSkewMs: number,
  signal: AbortSignal,
): Promise<void> {
  const leftMs = until.getTime() - (Date.now() - clockSkewMs) + 1_500;
  await sleep(Math.max(0, leftMs), undefined, { signal });
  await tidy(scratch, where, version, signal);
}
