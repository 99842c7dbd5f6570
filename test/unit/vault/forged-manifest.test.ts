// What a stolen writer credential puts under the name of a manifest that is to come: backups go on, numbered as if it were not there.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fail } from '../../../src/errors/index.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { COMPONENT, seededBytes, takeSnapshot, testVault } from '../../support/vault.ts';

const FORGED = `${COMPONENT}/snapshots/00000009.20261124T061407Z-0000beef`;
const files = { PG_VERSION: Buffer.from('17\n') };

/** As of a vault of a later version: prefix of a sealed object, up to its version. */
const ofLaterVersion = () => Buffer.concat([Buffer.from('HFSO'), Buffer.from([99, 3]), seededBytes('later', 300)]);

describe('a manifest that somebody forged', () => {
  for (const [what, bytes, isCovered] of [
    ['junk', seededBytes('junk', 300), false],
    ['junk under a delete marker', seededBytes('junk', 300), true],
    ['an object of a later version', ofLaterVersion(), false],
  ] as const) {
    it(`of ${what} keeps no snapshot from being taken and numbered`, async () => {
      const eu = new MemoryStore('eu', { isVersioned: true });
      const stores: Record<string, MemoryStore> = { local: new MemoryStore('local'), eu };
      const store = async (name: string) => stores[name] as MemoryStore;
      await using test = await testVault({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 }, store });
      await takeSnapshot(test.vault, files, 1);
      await eu.put(FORGED, bytes);
      if (isCovered) eu.cover(FORGED);
      const { sequence, copies } = await takeSnapshot(await test.reopen(), files, 2);
      assert.deepEqual([sequence, copies], [2, { local: 'present', eu: 'present' }]);
    });
  }

  it('is not passed over while the copy that lists it does not answer', async () => {
    const eu = new MemoryStore('eu', { isVersioned: true });
    const failing = new Proxy(eu, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (name === 'get' && args[0] === FORGED) fail('STORE_UNAVAILABLE', 'no answer');
          return value.apply(target, args) as unknown;
        };
      },
    });
    await using test = await testVault({ copies: ['eu'], store: async () => failing });
    await takeSnapshot(test.vault, files, 1);
    await eu.put(FORGED, seededBytes('junk', 300));
    await assert.rejects(takeSnapshot(await test.reopen(), files, 2), { code: 'STORE_UNAVAILABLE' });
  });
});
