// What lies in the copies of a sandbox, by key and size, seen from outside of Holdfast.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { SandboxBucket } from '../../src/sandbox/index.ts';

export type Objects = ReadonlyMap<string, number>;

/** What vanishes while we look is not there. */
export async function localObjects(directory: string): Promise<Objects> {
  const found: [string, number][] = [];
  const look = async (below: string): Promise<void> => {
    for (const entry of await readdir(path.join(directory, below), { withFileTypes: true }).catch(unlessGone)) {
      const name = path.join(below, entry.name);
      if (entry.isDirectory()) await look(name);
      const facts = entry.isFile() ? await stat(path.join(directory, name)).catch(unlessGone) : undefined;
      if (facts !== undefined && 'size' in facts) found.push([name, facts.size]);
    }
  };
  await look('');
  return new Map(found.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function unlessGone(error: NodeJS.ErrnoException): [] {
  if (error.code !== 'ENOENT') throw error;
  return [];
}

function clientOf({ endpoint, region, accessKeyId, secretAccessKey }: SandboxBucket): S3Client {
  return new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
}

export async function bucketObjects(copy: SandboxBucket): Promise<Objects> {
  const { bucket } = copy;
  const s3 = clientOf(copy);
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

/** Puts the object again with one bit in its middle changed. */
export async function damageBucketObject(copy: SandboxBucket, key: string): Promise<void> {
  const s3 = clientOf(copy);
  const place = { Bucket: copy.bucket, Key: key };
  try {
    const { Body } = await s3.send(new GetObjectCommand(place));
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
    const middle = Math.floor(bytes.length / 2);
    bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    await s3.send(new PutObjectCommand({ ...place, Body: bytes }));
  } finally {
    s3.destroy();
  }
}

/** Packs by the SHA-256 that names them; a name that a key repeats in a second generation counts twice. */
export function packsOf(objects: Objects): { readonly names: readonly string[]; readonly bytes: number } {
  const packs = [...objects].filter(([key]) => /\/packs\/[0-9a-f]{2}\/[0-9a-f]{64}$/.test(key));
  const names = packs.map(([key]) => path.basename(key)).toSorted();
  return { names, bytes: packs.reduce((sum, [, size]) => sum + size, 0) };
}
