// The versions of a bucket: listed in key order, what lies over an object looked through, and deleted by their ids.

import {
  type DeleteMarkerEntry,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3';
import { fail } from '../errors/index.ts';
import { compareKeys } from './keys.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { statusOf } from './s3-errors.ts';
import type { Page } from './s3-list.ts';
import type { ObjectVersion } from './store.ts';

/** The most that one request may delete (Amazon S3 API, DeleteObjects). */
export const DELETE_BATCH = 1000;

/** `unknown`: nobody may ask with these credentials. Such a bucket is gone through by versions, which an unversioned one has too, one a key. */
export type Versioning = 'kept' | 'none' | 'unknown';

/** A bucket whose versioning is suspended still has the versions from before. */
export async function askVersioning({ client, bucket }: S3Bucket, abortSignal: AbortSignal): Promise<Versioning> {
  try {
    const answer = await client.send(new GetBucketVersioningCommand({ Bucket: bucket }), { abortSignal });
    return answer.Status === 'Enabled' || answer.Status === 'Suspended' ? 'kept' : 'none';
  } catch (error) {
    const status = statusOf(error);
    if (status === 403) return 'unknown';
    // Not known to this server. Anything else is no answer.
    if (status === 501 || status === 405 || status === 400) return 'none';
    throw error;
  }
}

export interface KeyVersions {
  readonly key: string;
  /** Newest first. */
  readonly versions: readonly ObjectVersion[];
}

/** Every key below `prefix` with all its versions, in key order. */
export async function* listVersions(
  { client, bucket, prefix: root, location }: S3Bucket,
  prefix: string,
  after: string | undefined,
  page: Page,
): AsyncGenerator<KeyVersions> {
  let keyMarker = after === undefined ? undefined : root + after;
  let versionMarker: string | undefined;
  let open: { key: string; versions: Entry[] } | undefined;
  let last = '';
  for (;;) {
    const command = new ListObjectVersionsCommand({
      Bucket: bucket,
      Prefix: root + prefix,
      ...(keyMarker !== undefined && { KeyMarker: keyMarker }),
      ...(versionMarker !== undefined && { VersionIdMarker: versionMarker }),
    });
    const answer = await page((signal) => client.send(command, { abortSignal: signal }));
    // Both lists are in key order; the sort is stable, so that within a key each keeps its own order.
    for (const entry of entriesOf(answer).sort((a, b) => compareKeys(a.fullKey, b.fullKey))) {
      const key = entry.fullKey.slice(root.length);
      if (after !== undefined && compareKeys(key, after) <= 0) continue; // some servers begin with the marker's own key
      if (open?.key === key) {
        open.versions.push(entry);
        continue;
      }
      if (open) yield { key: open.key, versions: inOrder(open.versions) };
      if (compareKeys(key, last) < 0) fail('STORE_UNFIT', `'${location}' lists out of order: '${key}' after '${last}'`);
      last = key;
      open = { key, versions: [entry] };
    }
    if (!answer.IsTruncated) break;
    if (answer.NextKeyMarker === undefined) fail('STORE_UNFIT', `'${location}' lists without continuation`);
    keyMarker = answer.NextKeyMarker;
    versionMarker = answer.NextVersionIdMarker;
  }
  if (open) yield { key: open.key, versions: inOrder(open.versions) };
}

interface Entry extends ObjectVersion {
  readonly fullKey: string;
  readonly isLatest: boolean;
}

function entriesOf({ Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput): Entry[] {
  const entry = (isDeleteMarker: boolean) => (each: DeleteMarkerEntry & { Size?: number | undefined }) => ({
    id: each.VersionId ?? 'null',
    sizeBytes: each.Size ?? 0,
    storedAt: each.LastModified ?? new Date(0),
    isDeleteMarker,
    fullKey: each.Key ?? '',
    isLatest: each.IsLatest ?? false,
  });
  return [...Versions.map(entry(false)), ...DeleteMarkers.map(entry(true))];
}

/** Newest first. Versions and delete markers come in two lists whose common order is known by time alone, to the second. */
function inOrder(entries: readonly Entry[]): ObjectVersion[] {
  const second = ({ storedAt }: Entry) => Math.floor(storedAt.getTime() / 1000);
  return [...entries]
    .sort((a, b) => Number(b.isLatest) - Number(a.isLatest) || second(b) - second(a))
    .map(({ id, sizeBytes, storedAt, isDeleteMarker }) => ({ id, sizeBytes, storedAt, isDeleteMarker }));
}

export interface Refused {
  readonly key: string;
  readonly version: string | undefined;
  readonly code: string;
}

/** Deletes up to `DELETE_BATCH` keys or versions; gives those that the store refused. */
export async function deleteBatch(
  { client, bucket, prefix }: S3Bucket,
  targets: readonly { readonly key: string; readonly version?: string }[],
  abortSignal: AbortSignal,
): Promise<Refused[]> {
  const Objects = targets.map(({ key, version }) => ({
    Key: prefix + key,
    ...(version !== undefined && { VersionId: version }),
  }));
  const command = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } });
  const answer = await client.send(command, { abortSignal });
  return (answer.Errors ?? []).flatMap(({ Key = '', VersionId, Code = 'Unknown' }) =>
    Code === 'NoSuchKey' || Code === 'NoSuchVersion'
      ? []
      : [{ key: Key.slice(prefix.length), version: VersionId, code: Code }],
  );
}

/** The version that was stored first: objects never change, so what came later under the same key is not ours. */
export function firstStored(versions: readonly ObjectVersion[]): ObjectVersion | undefined {
  return versions.findLast((version) => !version.isDeleteMarker);
}
