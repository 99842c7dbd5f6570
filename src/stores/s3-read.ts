// Reading an object or a part of it from a bucket: exactly the bytes asked for, or an error that says what came instead.

import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { fail } from '../errors/index.ts';
import type { Pace } from './bandwidth.ts';
import { type S3Bucket, whereOf } from './s3-bucket.ts';
import { isAbsent, statusOf } from './s3-errors.ts';
import type { ByteRange, GetOptions } from './store.ts';

/** Throws `OBJECT_MISSING`, `OBJECT_DAMAGED` for a range past the end, or what the client throws. */
export async function readObject(
  bucket: S3Bucket,
  key: string,
  range: ByteRange | undefined,
  { version, into }: GetOptions,
  abortSignal: AbortSignal,
  pace?: Pace,
): Promise<Buffer> {
  const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
  const where = { ...whereOf(bucket, key), ...(Range && { Range }), ...(version && { VersionId: version }) };
  try {
    const { Body, ContentLength, ContentRange } = await bucket.client.send(new GetObjectCommand(where), {
      abortSignal,
    });
    const received = await receive(
      Body,
      into && ContentLength ? Buffer.from(into(ContentLength), 0, ContentLength) : undefined,
      pace,
    );
    if (received.length !== (ContentLength ?? received.length)) {
      fail(
        'STORE_UNAVAILABLE',
        `'${key}' on '${bucket.name}' ended after ${received.length} of ${ContentLength} bytes`,
      );
    }
    if (range === undefined) return received;
    // A server may answer a range with the whole object (RFC 9110, section 14.2); past the end it gives what there is.
    const bytes = ContentRange ? received : received.subarray(range.offset, range.offset + range.length);
    if (bytes.length === range.length) return bytes;
    return fail('OBJECT_DAMAGED', `'${key}' on '${bucket.name}' gave ${bytes.length} bytes, expected ${range.length}`);
  } catch (error) {
    const isMarker = version !== undefined && statusOf(error) === 405;
    if (!isAbsent(error) && !isMarker) throw error;
    return fail('OBJECT_MISSING', `'${key}' is not on '${bucket.name}'`, { cause: error });
  }
}

/** With a limit, what is not read yet stays with the sender: TCP holds it back. */
async function receive(
  body: GetObjectCommandOutput['Body'],
  into: Buffer | undefined,
  pace: Pace | undefined,
): Promise<Buffer> {
  if (body === undefined) return Buffer.alloc(0);
  if (pace === undefined && into === undefined) return Buffer.from(await body.transformToByteArray());
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    if (into === undefined) pieces.push(piece);
    else into.set(piece, length);
    length += piece.length;
    await pace?.(piece.length);
  }
  return into === undefined ? Buffer.concat(pieces) : into.subarray(0, length);
}
