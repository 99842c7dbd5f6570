// One PutObject: the whole object with its SHA-256, signed over the bytes, within the bandwidth limit.

import { Readable } from 'node:stream';
import { PutObjectCommand, type PutObjectCommandOutput } from '@aws-sdk/client-s3';
import { type Pace, paced } from './bandwidth.ts';
import { type S3Bucket, whereOf } from './s3-bucket.ts';
import { type Asked, headersOf } from './s3-guarantees.ts';

export interface S3Write {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly ifNoneMatch: boolean;
  readonly asked: Asked;
  readonly pace: Pace | undefined;
  readonly abortSignal: AbortSignal;
}

export function writeObject(bucket: S3Bucket, write: S3Write): Promise<PutObjectCommandOutput> {
  const { key, bytes, sha256, pace, abortSignal } = write;
  const { bandwidth } = bucket;
  const isPaced = pace && bandwidth && bytes.length > 0;
  const command = new PutObjectCommand({
    ...whereOf(bucket, key),
    Body: isPaced ? Readable.from(paced(bytes, bandwidth.pieceBytes, pace)) : bytes,
    ContentLength: bytes.length,
    ChecksumAlgorithm: 'SHA256',
    ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
    ...headersOf(write.asked),
    ...(write.ifNoneMatch && { IfNoneMatch: '*' }),
  });
  // Known already: the client need not hash the bytes again, and a stream is signed like them.
  command.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build', name: 'payloadHash' },
  );
  return bucket.client.send(command, { abortSignal });
}
