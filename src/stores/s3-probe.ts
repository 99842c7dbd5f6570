// Finding out by trying what an S3 server really does: some ignore a header that others obey.

import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { isConflict, statusOf } from './s3-errors.ts';
import type { StoreProperties } from './store.ts';

type Place = { readonly Bucket: string; readonly Key: string };

/** Stores, tries to overwrite, and removes the scratch object `where`. */
export async function probeS3(client: S3Client, where: Place, abortSignal: AbortSignal): Promise<StoreProperties> {
  const startedMs = Date.now();
  try {
    await client.send(putOf(where, 'first'), { abortSignal });
    const storedMs = Date.now();
    const head = await client.send(new HeadObjectCommand({ ...where, ChecksumMode: 'ENABLED' }), { abortSignal });
    return {
      conditionalPut: await isConditional(client, where, abortSignal),
      checksumVerified: await isVerified(client, where, abortSignal),
      checksumAttested: head.ChecksumSHA256 === base64('first'),
      ...(await bucketProperties(client, where.Bucket, abortSignal)),
      clockSkewMs: skewMs(startedMs, storedMs, head.LastModified),
    };
  } finally {
    await client.send(new DeleteObjectCommand(where), { abortSignal }).catch(() => {});
  }
}

function putOf(where: Place, text: string, checksum = base64(text)): PutObjectCommand {
  return new PutObjectCommand({ ...where, Body: text, ChecksumAlgorithm: 'SHA256', ChecksumSHA256: checksum });
}

function base64(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

async function isConditional(client: S3Client, where: Place, abortSignal: AbortSignal): Promise<boolean> {
  try {
    const command = putOf(where, 'second');
    command.input.IfNoneMatch = '*';
    await client.send(command, { abortSignal });
    return false; // the header was ignored
  } catch (error) {
    if (statusOf(error) === 501) return false;
    if (!isConflict(error)) throw error;
  }
  const answer = await client.send(new GetObjectCommand(where), { abortSignal });
  return (await answer.Body?.transformToString()) === 'first';
}

async function isVerified(client: S3Client, where: Place, abortSignal: AbortSignal): Promise<boolean> {
  try {
    await client.send(putOf(where, 'third', base64('other')), { abortSignal });
    return false;
  } catch (error) {
    if (statusOf(error) !== 400) throw error;
    return true;
  }
}

/** Reading a bucket's settings is a permission that a writer need not have: without it they count as off. */
async function bucketProperties(client: S3Client, Bucket: string, abortSignal: AbortSignal) {
  const versioned = await client.send(new GetBucketVersioningCommand({ Bucket }), { abortSignal }).then(
    (answer) => answer.Status === 'Enabled',
    () => false,
  );
  const objectLock = await client.send(new GetObjectLockConfigurationCommand({ Bucket }), { abortSignal }).then(
    (answer) => answer.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled',
    () => false,
  );
  return { versioned, objectLock };
}

/** Servers tell whole seconds, so that less than one is no skew. */
function skewMs(startedMs: number, storedMs: number, storedAt: Date | undefined): number {
  if (!storedAt) return 0;
  const earliestMs = storedAt.getTime();
  const latestMs = earliestMs + 999;
  if (startedMs > latestMs) return startedMs - latestMs;
  return storedMs < earliestMs ? storedMs - earliestMs : 0;
}
