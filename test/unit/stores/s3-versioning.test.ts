// A bucket of which nobody may ask whether it keeps versions: unknown is not unversioned, on three real servers behind a proxy that refuses.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import type { S3StoreOptions } from '../../../src/stores/s3-client.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { startLyingS3 } from '../../support/lying-s3.ts';
import { s3Servers } from './s3-capabilities.ts';

const text = (value: string) => Buffer.from(value);
const ASKING = /[?&]versioning/;
const ASKING_OR_LISTING = /[?&](versioning|versions)/;

for (const [name, { start }] of Object.entries(s3Servers)) {
  const server = await start();
  await server.createBucket('unasked', { versioned: true });
  await server.createBucket('unasked-locking', { objectLock: true });
  await server.createBucket('unasked-plain');

  describe(`a bucket of ${name} that may not be asked whether it keeps versions`, () => {
    async function storeBehind(t: TestContext, bucket: string, denied: RegExp, changes: Partial<S3StoreOptions> = {}) {
      const proxy = await startLyingS3(t, server.endpoint);
      proxy.lie('deny', denied);
      const { region, accessKeyId, secretAccessKey } = server;
      const credentials = async () => ({ accessKeyId, secretAccessKey });
      const store = new S3Store('eu', { bucket, region, endpoint: proxy.endpoint, credentials, ...changes });
      t.after(() => store.close());
      return { store, proxy };
    }
    const keysOf = async (store: S3Store, prefix: string) => {
      const keys = [];
      for await (const { key } of store.list(prefix)) keys.push(key);
      return keys;
    };
    const versionsIn = async (Bucket: string, Prefix: string) => {
      const client = server.client();
      try {
        const listing = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix }));
        return [...(listing.Versions ?? []), ...(listing.DeleteMarkers ?? [])].length;
      } finally {
        client.destroy();
      }
    };

    it('is deleted from by versions, so that nothing lingers and nothing is only covered', async (t) => {
      const { store, proxy } = await storeBehind(t, 'unasked', ASKING);
      await store.put('d/key', text('first'));
      await store.put('d/key', text('second'), { ifAbsent: false });
      assert.deepEqual(await keysOf(store, 'd/'), ['d/key']);
      assert.equal((await store.versions('d/key')).length, 2);
      await store.delete(['d/key']);
      assert.equal(await versionsIn('unasked', 'd/'), 0);
      assert.ok(proxy.lies > 0);
    });

    it('works as before where no versions are kept', async (t) => {
      const { store } = await storeBehind(t, 'unasked-plain', ASKING);
      await store.put('p/key', text('first'));
      await store.put('p/other', text('other'));
      assert.deepEqual(await keysOf(store, 'p/'), ['p/key', 'p/other']);
      await store.delete(['p/key', 'p/none']);
      assert.deepEqual(await keysOf(store, 'p/'), ['p/other']);
      assert.equal(await store.head('p/key'), undefined);
      await assert.rejects(store.get('p/key'), { code: 'OBJECT_MISSING' });
    });

    it('deletes and lists nothing where the versions may not be listed either, and names the permissions', async (t) => {
      const { store, proxy } = await storeBehind(t, 'unasked', ASKING_OR_LISTING);
      await store.put('n/key', text('first'));
      const denied = { code: 'STORE_DENIED', hint: /s3:GetBucketVersioning.*s3:ListBucketVersions/ };
      await assert.rejects(keysOf(store, 'n/'), denied);
      await assert.rejects(store.delete(['n/key']), denied);
      proxy.lie(undefined);
      assert.equal(await versionsIn('unasked', 'n/'), 1);
    });

    it('is known to keep versions by the answer to a put, and refused at setup when they may not be listed', async (t) => {
      const asked = await storeBehind(t, 'unasked-locking', ASKING);
      assert.equal((await asked.store.probe()).versioned, true);
      const { store } = await storeBehind(t, 'unasked-locking', ASKING_OR_LISTING, { lock: 'governance' });
      await assert.rejects(store.probe({ guarantees: true }), {
        code: 'STORE_DENIED',
        hint: /s3:ListBucketVersions/,
      });
    });

    it('is refused at setup when a lock is asked for and nothing tells, with the permission that is missing', async (t) => {
      const { store } = await storeBehind(t, 'unasked-plain', ASKING, { lock: 'governance', lockForSeconds: 3600 });
      assert.equal((await store.probe()).versioned, 'unknown');
      await assert.rejects(store.probe({ guarantees: true }), {
        code: 'STORE_DENIED',
        message: /'lock'/,
        hint: /permission s3:GetBucketVersioning/,
      });
    });
  });
}
