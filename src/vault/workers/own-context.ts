// What opens or seals an object, as a thread has to see it.

import type { SealContext } from '../sealed.ts';

/** What comes by a message is no `Buffer` any more. */
export function ownContext({ vaultId, baseKey, ...place }: SealContext): SealContext {
  return { ...place, vaultId: Buffer.from(vaultId), baseKey: Buffer.from(baseKey) };
}
