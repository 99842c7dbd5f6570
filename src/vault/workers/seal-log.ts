// A piece of log sealed in a thread: hashed once for its header, compressed, encrypted.

import { hash } from 'node:crypto';
import { sealHere } from '../sealed.ts';
import type { AnswerTo, Jobs } from './jobs.ts';
import { ownContext } from './own-context.ts';

export function sealLog({ context, facts, plain }: Jobs['seal']['job']): AnswerTo<'seal'> {
  const sha256 = hash('sha256', plain, 'hex');
  const sealed = sealHere(ownContext(context), { ...facts, sha256 }, plain);
  return { sealed: alone(sealed), sha256 };
}

/** A buffer that is handed over is gone here: it must be nobody else's. */
function alone(bytes: Buffer): ArrayBuffer {
  const { buffer } = bytes;
  const isAlone = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length;
  return isAlone ? buffer : (Uint8Array.from(bytes).buffer as ArrayBuffer);
}
