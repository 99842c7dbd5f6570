// Retention beside others at work: writers that began before it, and a catch-up that comes after it.

import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../../src/errors/index.ts';
import type { Store } from '../../../src/stores/store.ts';
import { withMethods } from '../../../src/stores/with-methods.ts';
import {
  generationsOn,
  idAt,
  oneDay,
  type RetentionVault,
  retentionVault,
  SYSTEM,
  threeSnapshots,
} from '../../support/retention.ts';
import { inPieces, readFiles, request } from '../../support/vault.ts';

/** A backup 7 that began with the first snapshot and is still at work when the generation of both has ended. */
async function lateBackup(test: RetentionVault) {
  await test.backup(1);
  const late = await test.reopen();
  const from = test.clock.now;
  const id = idAt(from, 7);
  const writer = await late.writeSnapshot(request(7, { id, from }));
  await writer.addFile({ path: 'base/7', mode: 0o600, mtimeSeconds: 0 }, inPieces(Buffer.from('seven')));
  test.pass(11);
  await test.backup(2);
  test.pass(3);
  return { id, writer };
}

describe('writers beside retention', () => {
  it('a backup that began before its generation was named gives up when it would commit after that', async () => {
    await using test = await retentionVault({ rules: oneDay });
    const { writer } = await lateBackup(test);
    const { marked } = await test.apply();
    assert.equal(marked.tombstone?.generations, 1);
    await assert.rejects(writer.commit({ to: test.clock.now, state: 'clean', engine: {} }), { code: 'FENCED' });
    test.pass(7);
    await test.apply();
    assert.deepEqual(await test.numbersOn('local'), [2]);
  });

  it('a backup that committed before the sweep looked keeps its generation', async () => {
    await using test = await retentionVault({ rules: oneDay });
    const { id, writer } = await lateBackup(test);
    await writer.commit({
      to: test.clock.now,
      state: 'clean',
      engine: { systemId: SYSTEM, timeline: 1, startLsn: '0/100', stopLsn: '0/200' },
    });
    const { marked } = await test.apply();
    assert.equal(marked.tombstone?.generations, 0);
    test.pass(7);
    await test.apply();
    assert.deepEqual(await test.numbersOn('local'), [2, 7]);
    await readFiles(await test.vault.openSnapshot(id, 'eu'));
  });
});

describe('catch-up beside retention', () => {
  it('brings back nothing that is named, whichever copy was away and for how long', async () => {
    await using test = await retentionVault({ rules: oneDay, copies: ['local', 'eu', 'us'] });
    await threeSnapshots(test);
    await test.apply();
    test.pass(7);
    // The run dies after the first copy: the others still have everything.
    const dying = (store: Store) =>
      withMethods(store, { delete: () => Promise.reject(new HoldfastError('STORE_UNAVAILABLE', 'gone')) });
    const copies = test.options.copies.map(({ description, store }) => ({
      description,
      store: store.name === 'local' ? store : dying(store),
    }));
    const vault = await test.reopen({ copies });
    await assert.rejects(vault.retention.sweep(test.request()), { code: 'STORE_UNAVAILABLE' });
    assert.deepEqual(
      [await test.numbersOn('local'), await test.numbersOn('us')],
      [
        [2, 3],
        [1, 2, 3],
      ],
    );
    test.pass(10);
    const back = await test.reopen();
    await back.catchUp('local');
    assert.deepEqual(await test.numbersOn('local'), [2, 3]);
    // A new disk in the place of eu.
    for (const name of await readdir(test.path('eu'))) await rm(join(test.path('eu'), name), { recursive: true });
    const adopted = await test.reopen();
    await adopted.adoptCopy('eu');
    await adopted.catchUp('eu');
    assert.deepEqual(await test.numbersOn('eu'), [3]);
    assert.equal((await test.keysOn('eu', 'tombstones/')).length > 0, true);
    assert.equal(await generationsOn(test, 'eu'), 1);
  });
});
