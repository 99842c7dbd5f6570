// A key file and an empty vault.

import { createVault, generateKeyFile } from '../../../src/vault/index.ts';
import { type Operation, vaultOptions } from './operation.ts';

export const init: Operation = async (places) => {
  await generateKeyFile(places.key);
  await (await createVault(vaultOptions(places))).close();
};
