// Repair: good bytes of another copy in the place of bad ones, and nothing else touched.

import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { Store } from '../../../src/stores/store.ts';
import { DelegatingStore } from '../../support/delegating-store.ts';
import { DATA_KEY, find, flip, INDEX, MANIFEST, oneSnapshot, PACK, stateOf, verify } from '../../support/verify.ts';

describe('repair', () => {
  it('puts good bytes of another copy where they are damaged or missing, and everything is good then', async () => {
    for (const pattern of [PACK, INDEX, DATA_KEY, MANIFEST]) {
      for (const harm of [flip, rm]) {
        if (pattern === MANIFEST && harm === rm) continue; // left to catch-up
        await using test = await oneSnapshot({ copies: ['local', 'eu'] });
        await harm(await find(test, pattern, 'eu'));
        assert.notEqual(await stateOf(test.vault, 'decrypted', 'eu'), 'good');
        const report = await test.vault.repair({ copy: 'eu', run: 'repair-1' });
        assert.deepEqual(report.unrepaired, []);
        assert.deepEqual(
          report.repaired.map(({ was, from }) => [was, from]),
          [[harm === rm ? 'missing' : 'damaged', 'local']],
        );
        assert.equal(await stateOf(test.vault, 'decrypted', 'eu'), 'good', String(pattern));
        const again = await test.vault.repair({ copy: 'eu', run: 'repair-2' });
        assert.deepEqual([again.repaired, again.unrepaired], [[], []]);
      }
    }
  });

  it('takes nothing from a copy that is damaged itself, and says what could not be repaired', async () => {
    await using test = await oneSnapshot({ copies: ['local', 'eu'] });
    for (const copy of ['local', 'eu']) await flip(await find(test, PACK, copy));
    await verify(test.vault, 'hashed');
    const before = await readFile(await find(test, PACK, 'eu'));
    const report = await test.vault.repair({ copy: 'eu', run: 'repair-1' });
    assert.deepEqual(report.repaired, []);
    assert.deepEqual(
      report.unrepaired.map(({ kind, error }) => [kind, error.code]),
      [['pack', 'OBJECT_DAMAGED']],
    );
    assert.deepEqual(await readFile(await find(test, PACK, 'eu')), before);
  });

  it('leaves alone what is good by the time it comes to it', async () => {
    await using test = await oneSnapshot({ copies: ['local', 'eu'] });
    const pack = await find(test, PACK, 'eu');
    await flip(pack);
    await verify(test.vault, 'hashed');
    await flip(pack);
    const report = await test.vault.repair({ copy: 'eu', run: 'repair-1' });
    assert.deepEqual([report.repaired, report.unrepaired, report.good], [[], [], 1]);
  });

  it('reports a copy that does not take the bytes, and one that lies about them', async () => {
    class Refusing extends DelegatingStore {
      mode: 'refuse' | 'drop' | undefined;
      override async put(...given: Parameters<Store['put']>): Promise<void> {
        if (this.mode === 'refuse' && PACK.test(given[0])) throw Object.assign(new Error('locked'), { code: 'EPERM' });
        if (this.mode === 'drop' && PACK.test(given[0])) return;
        await super.put(...given);
      }
    }
    const stores: Refusing[] = [];
    const wrap = (store: Store) => stores[stores.push(new Refusing(store)) - 1] as Refusing;
    await using test = await oneSnapshot({ copies: ['local', 'eu'], wrap });
    await flip(await find(test, PACK, 'eu'));
    await verify(test.vault, 'hashed');
    for (const mode of ['refuse', 'drop'] as const) {
      (stores[1] as Refusing).mode = mode;
      const report = await test.vault.repair({ copy: 'eu', run: 'repair-1' });
      assert.deepEqual([report.repaired.length, report.unrepaired.length], [0, 1], mode);
    }
  });
});
