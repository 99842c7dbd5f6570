// Deleting from a bucket by explicit list: keys, or every version of them by its id; what is locked is told apart from what is forbidden.

import { fail } from '../errors/index.ts';
import { type S3Bucket, whereOf } from './s3-bucket.ts';
import { retentionOf } from './s3-guarantees.ts';
import { DELETE_BATCH, deleteBatch, type Refused } from './s3-versions.ts';
import type { ObjectVersion } from './store.ts';

/** Listings at once when the versions of many keys are wanted. */
const WIDTH = 8;

export interface DeleteCalls {
  /** Also when it is not known: a plain deletion would then perhaps only cover the object. */
  mayKeepVersions(): Promise<boolean>;
  versions(key: string): Promise<readonly ObjectVersion[]>;
  /** With the store's deadline and retries. */
  call<T>(what: string, call: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

/** Throws `OBJECT_LOCKED` or `STORE_DENIED` for the first that was refused, after everything else is deleted. */
export async function deleteObjects(bucket: S3Bucket, keys: readonly string[], calls: DeleteCalls): Promise<void> {
  const targets = (await calls.mayKeepVersions()) ? await versionsOf(keys, calls) : keys.map((key) => ({ key }));
  const refused: Refused[] = [];
  for (let at = 0; at < targets.length; at += DELETE_BATCH) {
    const batch = targets.slice(at, at + DELETE_BATCH);
    refused.push(
      ...(await calls.call(`deleting ${batch.length} objects`, (signal) => deleteBatch(bucket, batch, signal))),
    );
  }
  const [first] = refused;
  if (first !== undefined) await explain(bucket, first, calls);
}

async function versionsOf(keys: readonly string[], calls: DeleteCalls): Promise<{ key: string; version: string }[]> {
  const targets: { key: string; version: string }[] = [];
  for (let at = 0; at < keys.length; at += WIDTH) {
    const some = keys.slice(at, at + WIDTH);
    const found = await Promise.all(some.map(async (key) => ({ key, versions: await calls.versions(key) })));
    for (const { key, versions } of found) targets.push(...versions.map(({ id }) => ({ key, version: id })));
  }
  return targets;
}

async function explain(bucket: S3Bucket, { key, version, code }: Refused, calls: DeleteCalls): Promise<never> {
  const what = `'${key}' was not deleted at ${bucket.location}`;
  if (code !== 'AccessDenied') return fail('STORE_UNAVAILABLE', `${what}: ${code}`);
  const lock = await calls
    .call(`asking for the lock of '${key}'`, (signal) => retentionOf(bucket, whereOf(bucket, key), version, signal))
    .catch(() => undefined);
  if (lock === undefined) return fail('STORE_DENIED', `${what}: ${code}`);
  const until = lock.until.toISOString();
  return fail('OBJECT_LOCKED', `${what}: it is locked until ${until} (${lock.mode})`, { details: { key, until } });
}
