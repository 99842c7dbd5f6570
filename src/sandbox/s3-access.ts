// How an S3 server on loopback is reached and what every test and sandbox asks of one: a client, and buckets.

import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';

export interface S3Place {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface BucketOptions {
  /** The bucket is versioned and can lock objects. Default false. */
  readonly objectLock?: boolean;
  /** The bucket keeps older versions. Default: as `objectLock`. */
  readonly versioned?: boolean;
}

export interface S3Access extends S3Place {
  createBucket(name: string, options?: BucketOptions): Promise<void>;
  /** A client with this server's credentials; to be destroyed by the caller. */
  client(): S3Client;
}

export function s3Access(place: S3Place): S3Access {
  const { endpoint, region, accessKeyId, secretAccessKey } = place;
  const credentials = { accessKeyId, secretAccessKey };
  const client = () => new S3Client({ endpoint, region, forcePathStyle: true, credentials, maxAttempts: 1 });
  return {
    ...place,
    client,
    createBucket: (Bucket, { objectLock = false, versioned = objectLock } = {}) =>
      withClient(client(), async (s3) => {
        await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: objectLock }));
        if (!versioned) return;
        const VersioningConfiguration = { Status: 'Enabled' } as const;
        await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
      }),
  };
}

export async function withClient(s3: S3Client, use: (s3: S3Client) => Promise<void>): Promise<void> {
  try {
    await use(s3);
  } finally {
    s3.destroy();
  }
}
