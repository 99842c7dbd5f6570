// An object of log opened in a thread: decrypted, decompressed, hashed; nothing of it is kept.

import { hash } from 'node:crypto';
import { decompressSync } from '../codec.ts';
import { letGo } from '../let-go.ts';
import { unseal } from '../sealed.ts';
import type { AnswerTo, Jobs } from './jobs.ts';
import { ownContext } from './own-context.ts';

export async function unsealLog({ context, bytes, sizeBytes }: Jobs['unseal']['job']): Promise<AnswerTo<'unseal'>> {
  const { header, body } = await unseal(ownContext(context), Buffer.from(bytes, 0, sizeBytes), decompressSync);
  const sha256 = hash('sha256', body, 'hex');
  const { length } = body;
  letGo(body);
  return { header, length, sha256, bytes };
}
