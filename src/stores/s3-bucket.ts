// One bucket as all parts of the S3 store see it: a client, where our objects begin, and the names for people.

import type { S3Client } from '@aws-sdk/client-s3';

export interface S3Bucket {
  readonly client: S3Client;
  readonly bucket: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  /** Name of the copy. */
  readonly name: string;
  readonly location: string;
}

export interface S3Where {
  readonly Bucket: string;
  readonly Key: string;
}

export function whereOf({ bucket, prefix }: S3Bucket, key: string): S3Where {
  return { Bucket: bucket, Key: prefix + key };
}
