// What lies in the copies of a sandbox, by key and size, seen from outside of Holdfast.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { SandboxBucket } from '../../src/sandbox/index.ts';

export type Objects = ReadonlyMap<string, number>;

/** An object that vanishes while we look is not there. */
export async function localObjects(directory: string): Promise<Objects> {
  const found = new Map<string, number>();
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  for (const name of names.toSorted()) {
    const facts = await stat(path.join(directory, name)).catch(() => undefined);
    if (facts?.isFile()) found.set(name, facts.size);
  }
  return found;
}

export async function bucketObjects(copy: SandboxBucket): Promise<Objects> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = copy;
  const s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  const found = new Map<string, number>();
  try {
    for (let token: string | undefined, more = true; more; more = token !== undefined) {
      const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token }));
      for (const { Key = '', Size = 0 } of page.Contents ?? []) found.set(Key, Size);
      token = page.NextContinuationToken;
    }
  } finally {
    s3.destroy();
  }
  return found;
}

/** Packs by the SHA-256 that names them; a name that a key repeats in a second generation counts twice. */
export function packsOf(objects: Objects): { readonly names: readonly string[]; readonly bytes: number } {
  const packs = [...objects].filter(([key]) => /\/packs\/[0-9a-f]{2}\/[0-9a-f]{64}$/.test(key));
  const names = packs.map(([key]) => path.basename(key)).toSorted();
  return { names, bytes: packs.reduce((sum, [, size]) => sum + size, 0) };
}
