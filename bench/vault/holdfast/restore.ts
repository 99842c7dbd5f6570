// The newest snapshot written into an empty directory, with everything that it says of each entry.

import { fail } from '../../../src/errors/index.ts';
import { writeTree } from '../../../src/files/index.ts';
import { newestSnapshot, type Operation, withVault } from './operation.ts';

export const restore: Operation = (places) =>
  withVault(places, async (vault) => {
    const reader = await vault.openSnapshot((await newestSnapshot(vault)).id);
    const signal = new AbortController().signal;
    const { lacking } = await writeTree({ reader, directory: places.target, top: places.source, signal });
    if (lacking.count > 0) fail('CHECK_FAILED', `${lacking.count} properties of files could not be given to them`);
  });
