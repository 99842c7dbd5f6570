// What a bucket's server says of the locks of what was stored first under each key.

import { GetObjectRetentionCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import type { S3Server } from '../../src/sandbox/index.ts';

export type Locks = ReadonlyMap<string, number | undefined>;

/** By key below `prefix`, the end of the lock in milliseconds; `undefined`: not locked. */
export async function locksIn(server: S3Server, bucket: string, prefix: string): Promise<Locks> {
  const client = server.client();
  try {
    const found = new Map<string, number | undefined>();
    const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix }));
    for (const { Key = '', VersionId } of Versions) {
      const where = { Bucket: bucket, Key, ...(VersionId !== undefined && { VersionId }) };
      const { Retention } = await client
        .send(new GetObjectRetentionCommand(where))
        .catch(() => ({ Retention: undefined }));
      found.set(Key.slice(prefix.length + 1), Retention?.RetainUntilDate?.getTime());
    }
    return found;
  } finally {
    client.destroy();
  }
}

export const isOpening = (key: string) => key === 'holdfast.json' || /^keys\/.*\.json$/.test(key);
