// Which copies lack something that another one holds, by what they list.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { blockable } from '../../support/blockable-store.ts';
import { COMPONENT, seededBytes, takeSnapshot, testVault } from '../../support/vault.ts';

async function threeCopies(t: TestContext) {
  const stores = blockable();
  const made = await testVault({ copies: ['local', 'eu', 'us'], wrap: stores.wrap });
  t.after(() => made[Symbol.asyncDispose]());
  await takeSnapshot(made.vault, { 'base/1': seededBytes('one', 100_000) });
  await made.vault.putRecord('backup-00000001', 'result', { state: 'completed' });
  return { ...made, stores };
}

test('copies that hold the same are not behind', async (t) => {
  const { vault } = await threeCopies(t);
  assert.deepEqual(await vault.copiesBehind(), []);
});

test('a copy that lacks a snapshot, a record or a key slot is behind until it is caught up', async (t) => {
  const { vault, path: pathOf } = await threeCopies(t);
  for (const lost of [path.join(COMPONENT, 'snapshots'), 'runs', 'keys']) {
    await rm(path.join(pathOf('us'), lost), { recursive: true });
    assert.deepEqual(await vault.copiesBehind(), ['us'], lost);
    await vault.catchUp('us');
    assert.deepEqual(await vault.copiesBehind(), [], lost);
  }
});

test('a copy that does not answer is not called behind: nothing is known of it', async (t) => {
  const { reopen, stores } = await threeCopies(t);
  stores.block('us');
  const vault = await reopen();
  await vault.putRecord('backup-00000002', 'result', { state: 'completed' });
  assert.deepEqual(await vault.copiesBehind(), []);
  stores.open('us');
  const again = await reopen();
  assert.deepEqual(await again.copiesBehind(), ['us']);
});
