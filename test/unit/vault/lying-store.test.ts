// A store that lies: what it confirmed and dropped, old listings, old bytes and half ones are each found out, with an error of the catalogue.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { testS3, wholeFile } from '../../support/components.ts';
import { startLyingS3 } from '../../support/lying-s3.ts';
import { COMPONENT, readFiles, seededBytes, snapshotId, takeSnapshot, testVault } from '../../support/vault.ts';

const server = await testS3(wholeFile);
const files = { 'base/1/1259': seededBytes('pages', 400_000), large: seededBytes('large', 900_000) };

async function lyingVault(t: TestContext) {
  const bucket = `lies-${t.name.toLowerCase().replace(/[^a-z]+/g, '-')}`.slice(0, 60).replace(/-$/, '');
  await server.createBucket(bucket);
  const proxy = await startLyingS3(t, server.endpoint);
  const { region, accessKeyId, secretAccessKey } = server;
  const credentials = async () => ({ accessKeyId, secretAccessKey });
  const newStore = () => new S3Store('eu', { bucket, region, endpoint: proxy.endpoint, credentials });
  const test = await testVault({ copies: ['eu'], store: async () => newStore() });
  const reopen = (store: S3Store) => test.reopen({ copies: test.options.copies.map((copy) => ({ ...copy, store })) });
  t.after(async () => {
    await test.vault.close();
    await test[Symbol.asyncDispose]();
  });
  return { proxy, vault: test.vault, newStore, reopen };
}

describe('a store that lies', () => {
  for (const [what, path] of [
    ['a pack', /\/packs\//],
    ['an index', /\/indexes\//],
    ['a manifest', /\/snapshots\//],
    ['a data key', /\/key\?/],
  ] as const) {
    it(`about ${what} that it confirmed and dropped gets no snapshot committed`, async (t) => {
      const { proxy, vault } = await lyingVault(t);
      proxy.lie('drop', path);
      await assert.rejects(takeSnapshot(vault, files, 1), (error: { code: string }) => {
        assert.ok(['POLICY_UNMET', 'OBJECT_MISSING'].includes(error.code), error.code);
        return true;
      });
      assert.ok(proxy.lies > 0);
      proxy.lie(undefined);
      assert.deepEqual(await vault.listSnapshots(COMPONENT), []);
      await takeSnapshot(vault, files, 1);
      assert.equal((await vault.listSnapshots(COMPONENT)).length, 1);
    });
  }

  it('with old listings gets no snapshot committed', async (t) => {
    const { proxy, vault } = await lyingVault(t);
    proxy.lie('stale', /list-type=2/);
    await assert.rejects(takeSnapshot(vault, files, 1), { code: 'POLICY_UNMET' });
    assert.ok(proxy.lies > 0);
  });

  for (const [lie, code] of [
    ['truncate', 'OBJECT_DAMAGED'],
    ['cut', 'STORE_UNAVAILABLE'],
  ] as const) {
    it(`by answers that are ${lie === 'cut' ? 'cut off' : 'too short'} gives no file`, async (t) => {
      const { proxy, vault } = await lyingVault(t);
      await takeSnapshot(vault, files, 1);
      const reader = await vault.openSnapshot(snapshotId(1));
      proxy.lie(lie, /\/packs\//);
      await assert.rejects(readFiles(reader), { code });
      assert.ok(proxy.lies > 0);
      proxy.lie(undefined);
      const read = await readFiles(await vault.openSnapshot(snapshotId(1)));
      assert.ok(read.large?.equals(files.large));
    });
  }

  it('with the bytes of another object gives no file', async (t) => {
    const { proxy, vault } = await lyingVault(t);
    await takeSnapshot(vault, files, 1);
    await readFiles(await vault.openSnapshot(snapshotId(1)));
    await takeSnapshot(vault, { other: seededBytes('other', 900_000) }, 2);
    proxy.lie('other', /\/packs\//);
    await assert.rejects(readFiles(await vault.openSnapshot(snapshotId(2))), { code: 'OBJECT_DAMAGED' });
    assert.ok(proxy.lies > 0);
  });

  it('about conditional writes is found out by a probe: it grants no lease, and nothing is written over', async (t) => {
    const { proxy, vault, newStore, reopen } = await lyingVault(t);
    const lease = await vault.acquireLease('retention', 'honest', 60_000);
    await lease.release();
    proxy.lie('unconditional');
    const store = newStore();
    t.after(() => store.close());
    assert.equal((await store.probe()).conditionalPut, false);
    await store.put('runs/a/end', Buffer.from('first'));
    await assert.rejects(store.put('runs/a/end', Buffer.from('second')), { code: 'OBJECT_EXISTS' });
    assert.equal((await store.get('runs/a/end')).toString(), 'first');
    const again = await reopen(store);
    await assert.rejects(again.acquireLease('retention', 'deceived', 60_000), { code: 'POLICY_UNMET' });
    assert.ok(proxy.lies > 0);
  });
});
