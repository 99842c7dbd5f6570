// Index objects: which chunk lies where in which pack (docs/vault-format.md, section 7).

import { fail } from '../errors/index.ts';
import { derive } from './crypto.ts';
import type { PackContext } from './pack.ts';
import { objectTypes, type SealContext, seal, unseal } from './sealed.ts';

export interface IndexedPack {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The pack's own index, plain. */
  readonly index: Buffer;
}

const HEAD_BYTES = 32 + 8 + 4;

export async function sealIndex(context: PackContext, key: string, packs: readonly IndexedPack[]): Promise<Buffer> {
  const parts = packs.flatMap(({ sha256, sizeBytes, index }) => {
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(sha256, 'hex');
    head.writeBigUInt64BE(BigInt(sizeBytes), 32);
    head.writeUInt32BE(index.length, 40);
    return [head, index];
  });
  return seal(indexContext(context, key), { packs: packs.length }, Buffer.concat(parts));
}

/** Throws `OBJECT_DAMAGED`. */
export async function openIndex(context: PackContext, key: string, bytes: Buffer): Promise<IndexedPack[]> {
  const { body } = await unseal(indexContext(context, key), bytes);
  const packs: IndexedPack[] = [];
  for (let at = 0; at < body.length; ) {
    if (at + HEAD_BYTES > body.length) fail('OBJECT_DAMAGED', `index '${key}' ends in the middle`);
    const end = at + HEAD_BYTES + body.readUInt32BE(at + 40);
    if (end > body.length) fail('OBJECT_DAMAGED', `index '${key}' ends in the middle`);
    packs.push({
      sha256: body.toString('hex', at, at + 32),
      sizeBytes: Number(body.readBigUInt64BE(at + 32)),
      index: body.subarray(at + HEAD_BYTES, end),
    });
    at = end;
  }
  return packs;
}

function indexContext(context: PackContext, key: string): SealContext {
  const baseKey = derive(context.dataKey, context.vaultId, 'index');
  return { vaultId: context.vaultId, type: objectTypes.index, key, baseKey };
}
