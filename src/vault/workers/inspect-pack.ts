// A whole pack looked at in a thread: its name, its own index, every frame, every chunk.

import { hash } from 'node:crypto';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { ChunkIds } from '../chunk-id.ts';
import { decompressSync } from '../codec.ts';
import { TAG_BYTES } from '../crypto.ts';
import { letGo } from '../let-go.ts';
import { chunkOf, decryptFrame, HEAD_BYTES, packKey, readPackIndex } from '../pack.ts';
import { eachChunkOf, framesOf } from '../pack-index.ts';
import type { AnswerTo, Jobs } from './jobs.ts';

export async function inspectPack(job: Jobs['inspect']['job']): Promise<AnswerTo<'inspect'>> {
  const { bytes, sizeBytes } = job;
  const damage = await damageOf(Buffer.from(bytes, 0, sizeBytes), job);
  return { bytes, ...(damage !== undefined && { damage }) };
}

async function damageOf(bytes: Buffer, { sha256, what, content }: Jobs['inspect']['job']): Promise<string | undefined> {
  if (hash('sha256', bytes, 'hex') !== sha256) return `${what} is not what its name says`;
  try {
    if (content) await openAll(bytes, content, what);
    return undefined;
  } catch (error) {
    if (!isHoldfastError(error, 'OBJECT_DAMAGED', 'VAULT_FORMAT')) throw error;
    return error.message;
  }
}

async function openAll(
  bytes: Buffer,
  { setup, path, dataKey, index }: NonNullable<Jobs['inspect']['job']['content']>,
  what: string,
): Promise<void> {
  const chunkIds = new ChunkIds(setup.chunkIdKey);
  const context = { vaultId: Buffer.from(setup.vaultId), path, dataKey: Buffer.from(dataKey), chunkIds };
  const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
  const own = await readPackIndex(context, bytes.length, read, what);
  const key = packKey(context, bytes.subarray(0, HEAD_BYTES), what);
  for (const frame of framesOf(own, what)) {
    const { place } = frame;
    const sealed = bytes.subarray(place.offset, place.offset + place.storedLength + TAG_BYTES);
    const stored = decryptFrame(context, key, place, sealed, what);
    const plain = decompressSync(place.codec, stored, place.plainLength, what);
    if (plain !== stored) letGo(stored);
    eachChunkOf(own, frame, (id, offset, length) => chunkOf(context, plain, id, { offset, length }, what));
    letGo(plain);
  }
  if (index && !own.equals(index)) fail('OBJECT_DAMAGED', `${what} holds other chunks than its index object says`);
}
