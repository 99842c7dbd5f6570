// Every byte of the newest snapshot read from the copy, decrypted, and compared with its digests.

import { COMPONENT, COPY, newestSnapshot, type Operation, withVault } from './operation.ts';

export const check: Operation = (places) =>
  withVault(places, async (vault) => {
    const { id } = await newestSnapshot(vault);
    await vault.verifyCopy(COMPONENT, id, COPY);
    const reader = await vault.openSnapshot(id, COPY);
    for await (const entry of reader.entries()) {
      if (entry.type === 'file') for await (const _bytes of reader.read(entry));
    }
  });
