// Every byte of every snapshot and of the log read from the copy, decrypted, and compared with its digests.

import { randomBytes } from 'node:crypto';
import { fail } from '../../../src/errors/index.ts';
import { type Operation, withVault } from './operation.ts';

export const verify: Operation = async ({ configuration, database }) =>
  await withVault(configuration, 'backup', async (vault) => {
    const run = `verify-${randomBytes(4).toString('hex')}`;
    const { state, copies } = await vault.verify({ component: database.id, level: 'decrypted', run });
    if (state !== 'good')
      fail('CHECK_FAILED', `the copy is ${state}: ${copies[0]?.findings[0]?.message ?? 'it does not answer'}`);
  });
