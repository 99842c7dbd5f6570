// Every byte of every snapshot read from the copy, decrypted, and compared with its digests.

import { fail } from '../../../src/errors/index.ts';
import { COMPONENT, COPY, type Operation, withVault } from './operation.ts';

export const check: Operation = (places) =>
  withVault(places, async (vault) => {
    const request = { component: COMPONENT, level: 'decrypted', copies: [COPY], run: 'check-bench' } as const;
    const { state, copies } = await vault.verify(request);
    if (state !== 'good')
      fail('CHECK_FAILED', `the copy is ${state}: ${copies[0]?.findings[0]?.message ?? 'it does not answer'}`);
  });
