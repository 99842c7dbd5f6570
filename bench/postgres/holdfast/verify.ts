// Every byte of every snapshot and of the log read from the copy and compared with its digest; or what it decrypts to besides.

import { randomBytes } from 'node:crypto';
import { fail } from '../../../src/errors/index.ts';
import { type Operation, withVault } from './operation.ts';

export const verify: Operation = async ({ configuration, database, decrypt }) =>
  await withVault(configuration, 'backup', async (vault) => {
    const run = `verify-${randomBytes(4).toString('hex')}`;
    const { state, copies } = await vault.verify({
      component: database.id,
      level: decrypt ? 'decrypted' : 'hashed',
      run,
    });
    if (state !== 'good')
      fail('CHECK_FAILED', `the copy is ${state}: ${copies[0]?.findings[0]?.message ?? 'it does not answer'}`);
  });
