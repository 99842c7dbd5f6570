// Listing what is current in a bucket, in key order, page after page.

import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { fail } from '../errors/index.ts';
import { compareKeys } from './keys.ts';
import type { S3Bucket } from './s3-bucket.ts';
import type { ObjectInfo } from './store.ts';

/** How one page is had: with the store's deadline and retries around it. */
export type Page = <T>(request: (signal: AbortSignal) => Promise<T>) => Promise<T>;

export async function* listCurrent(
  { client, bucket, prefix: root, location }: S3Bucket,
  prefix: string,
  after: string | undefined,
  page: Page,
): AsyncGenerator<ObjectInfo> {
  let token: string | undefined;
  let last = after ?? '';
  do {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: root + prefix,
      ...(token === undefined && after !== undefined && { StartAfter: root + after }),
      ...(token !== undefined && { ContinuationToken: token }),
    });
    const answer = await page((abortSignal) => client.send(command, { abortSignal }));
    for (const { Key = '', Size = 0, LastModified = new Date(0) } of answer.Contents ?? []) {
      const key = Key.slice(root.length);
      if (key.endsWith('/')) continue; // a directory marker of some tool
      if (compareKeys(key, last) <= 0) {
        if (after !== undefined && compareKeys(key, after) <= 0) continue;
        fail('STORE_UNFIT', `'${location}' lists out of order: '${key}' after '${last}'`);
      }
      last = key;
      yield { key, sizeBytes: Size, storedAt: LastModified };
    }
    token = answer.IsTruncated ? answer.NextContinuationToken : undefined;
    if (answer.IsTruncated && token === undefined) fail('STORE_UNFIT', `'${location}' lists without continuation`);
  } while (token !== undefined);
}
