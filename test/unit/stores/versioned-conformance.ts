// What a store on a versioned bucket must do beyond the rest: look through what others put over an object, lock, and delete by version.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DeleteObjectCommand, ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3';
import type { S3Server } from '../../../src/sandbox/index.ts';
import type { S3Guarantees } from '../../../src/stores/s3-guarantees.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import type { Store } from '../../../src/stores/store.ts';
import type { Capabilities } from './s3-capabilities.ts';

const text = (value: string) => Buffer.from(value);
const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000);

async function infosOf(store: Store, prefix: string) {
  const infos = [];
  for await (const info of store.list(prefix)) infos.push(info);
  return infos;
}

export function describeVersionedStore(name: string, server: S3Server, capabilities: Capabilities): void {
  const bucket = 'versioned';
  const opened: S3Store[] = [];
  const storeWith = (guarantees: S3Guarantees = {}, changes: { bucket?: string; prefix?: string } = {}): S3Store => {
    const { region, endpoint, accessKeyId, secretAccessKey } = server;
    const credentials = async () => ({ accessKeyId, secretAccessKey });
    const place = { bucket, prefix: 'vault', region, endpoint, credentials };
    const store = new S3Store(name, { ...place, ...guarantees, ...changes });
    opened.push(store);
    return store;
  };

  describe(`store on a versioned bucket of ${name}`, () => {
    let store: S3Store;
    let client: S3Client;
    before(async () => {
      await server.createBucket(bucket, { objectLock: true });
      await server.createBucket('unlocked');
      store = storeWith();
      client = server.client();
    });
    after(async () => {
      client.destroy();
      await Promise.all(opened.map((each) => each.close()));
    });
    const cover = (key: string) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: `vault/${key}` }));

    it('tells every version of a key, newest first, and reads each', async () => {
      await store.put('v/key', text('first'));
      await store.put('v/key', text('second one'), { ifAbsent: false });
      await cover('v/key');
      await store.put('v/key2', text('of another key'));
      const versions = await store.versions('v/key');
      assert.deepEqual(
        versions.map(({ sizeBytes, isDeleteMarker }) => [sizeBytes, isDeleteMarker]),
        [
          [0, true],
          [10, false],
          [5, false],
        ],
      );
      await assert.rejects(store.get('v/key'), { code: 'OBJECT_MISSING' });
      const [marker, second, first] = versions.map(({ id }) => id);
      assert.equal((await store.get('v/key', undefined, { version: first as string })).toString(), 'first');
      const range = { offset: 7, length: 3 };
      assert.equal((await store.get('v/key', range, { version: second as string })).toString(), 'one');
      await assert.rejects(store.get('v/key', undefined, { version: marker as string }), { code: 'OBJECT_MISSING' });
      assert.deepEqual(await store.versions('v/none'), []);
    });

    it('lists what was stored first, whatever others put over it', async () => {
      for (const key of ['l/covered', 'l/free', 'l/written-over']) await store.put(key, text(key));
      await cover('l/covered');
      await cover('l/covered');
      await store.put('l/written-over', text('junk'), { ifAbsent: false });
      await cover('l/never-there');
      assert.deepEqual(
        (await infosOf(store, 'l/')).map(({ key, sizeBytes, isCovered = false }) => [key, sizeBytes, isCovered]),
        [
          ['l/covered', 9, true],
          ['l/free', 6, false],
          ['l/written-over', 14, true],
        ],
      );
    });

    it('lists more versions than one answer holds, in order and after a key', async () => {
      const keys = Array.from({ length: 6 }, (_, number) => `many/${number}`);
      for (const key of keys) {
        for (let at = 0; at < 200; at += 50) {
          await Promise.all(Array.from({ length: 50 }, () => store.put(key, text(key), { ifAbsent: false })));
        }
      }
      assert.deepEqual(
        (await infosOf(store, 'many/')).map(({ key }) => key),
        keys,
      );
      assert.equal((await store.versions('many/5')).length, 200);
      const after = [];
      for await (const { key } of store.list('many/', { after: 'many/3' })) after.push(key);
      assert.deepEqual(after, ['many/4', 'many/5']);
    });

    it('deletes every version and marker by its id, and nothing of another key', async () => {
      await store.put('d/key', text('first'));
      await store.put('d/key', text('second'), { ifAbsent: false });
      await cover('d/key');
      await store.put('d/key-not-this', text('stays'));
      await store.delete(['d/key', 'd/none']);
      assert.deepEqual(
        (await infosOf(store, 'd/')).map(({ key }) => key),
        ['d/key-not-this'],
      );
      const left = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: 'vault/d/' }));
      assert.equal((left.Versions ?? []).length, 1);
      assert.equal((left.DeleteMarkers ?? []).length, 0);
    });

    it('puts over a delete marker again, or says that the object exists', async () => {
      await store.put('m/key', text('first'));
      await cover('m/key');
      const again = store.put('m/key', text('first'));
      if (capabilities.putOverMarker) await again;
      else await assert.rejects(again, { code: 'OBJECT_EXISTS' });
    });

    it('locks an object with its put, keeps it from deletion, and only ever extends', async () => {
      const locking = storeWith({ lock: 'compliance' });
      const until = inHours(1);
      await locking.put('k/locked', text('kept'), { lockUntil: until });
      await locking.put('k/free', text('not kept'));
      await assert.rejects(locking.delete(['k/free', 'k/locked']), { code: 'OBJECT_LOCKED', message: /COMPLIANCE/ });
      assert.deepEqual(
        (await infosOf(store, 'k/')).map(({ key }) => key),
        ['k/locked'],
      );
      await locking.extendLock('k/locked', inHours(2));
      await locking.extendLock('k/locked', inHours(1));
      const error = await locking.delete(['k/locked']).catch((reason: unknown) => reason);
      const lockedUntil = new Date((error as { details: { until: string } }).details.until);
      assert.ok(lockedUntil.getTime() > until.getTime() + 1_800_000, `${lockedUntil.toISOString()} was shortened`);
      await assert.rejects(locking.extendLock('k/none', until), { code: 'OBJECT_MISSING' });
    });

    it('locks an object that was stored without a lock, under whatever lies over it', async () => {
      await store.put('h/held', text('kept'));
      await cover('h/held');
      await storeWith({ lock: 'governance' }).extendLock('h/held', inHours(1));
      await assert.rejects(store.delete(['h/held']), { code: 'OBJECT_LOCKED', message: /GOVERNANCE/ });
      assert.equal((await infosOf(store, 'h/')).length, 1);
    });

    it('fails a put whose lock the bucket does not give', async () => {
      const locking = storeWith({ lock: 'compliance' }, { bucket: 'unlocked' });
      await assert.rejects(locking.put('x', text('x'), { lockUntil: inHours(1) }), { code: 'STORE_UNFIT' });
    });

    for (const lock of ['compliance', 'governance'] as const) {
      it(`proves a lock in ${lock} mode by reading it back and trying to delete, and removes the trace`, async () => {
        const { guarantees, versioned } = await storeWith({ lock }).probe({ guarantees: true });
        assert.equal(versioned, true);
        assert.equal(guarantees.length, 1);
        assert.equal(guarantees[0]?.isHeld, true, guarantees[0]?.got);
        assert.match(guarantees[0]?.got ?? '', new RegExp(`^${lock.toUpperCase()} until 2`));
        const left = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: 'vault/probe/' }));
        assert.deepEqual([...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])], []);
      });
    }

    it('finds out a bucket that cannot lock', async () => {
      const unlocked = storeWith({ lock: 'compliance' }, { bucket: 'unlocked' });
      const { guarantees, versioned } = await unlocked.probe({ guarantees: true });
      assert.equal(versioned, false);
      assert.deepEqual(
        guarantees.map(({ setting, isHeld }) => [setting, isHeld]),
        [['lock', false]],
      );
    });

    for (const sse of ['AES256', 'aws:kms'] as const) {
      it(`says what came back for ${sse} by the server, and stores nothing with less`, async () => {
        const asked = sse === 'AES256' ? { sse } : { sse, kmsKeyId: 'alias/holdfast' };
        const encrypting = storeWith(asked, { bucket: 'unlocked' });
        const { guarantees } = await encrypting.probe({ guarantees: true });
        const got = capabilities.sse[sse];
        assert.equal(guarantees[0]?.got, got);
        assert.equal(guarantees[0]?.isHeld, got === sse);
        const put = (options = {}) => encrypting.put(`sse/${sse.replace(':', '-')}`, text('x'), options);
        if (got === sse) await put();
        else
          await assert.rejects(put({ deadlineMs: 3_000 }), {
            code: got.startsWith('500') ? 'STORE_UNAVAILABLE' : 'STORE_UNFIT',
          });
      });
    }

    it('says which storage class came back, and stores packs in none but that', async () => {
      const asked = storeWith({ storageClass: 'STANDARD_IA' }, { bucket: 'unlocked' });
      const { guarantees } = await asked.probe({ guarantees: true });
      const isGiven = capabilities.storageClass === 'STANDARD_IA';
      const { setting, got, isHeld } = guarantees[0] ?? {};
      assert.deepEqual([setting, got, isHeld], ['storageClass', capabilities.storageClass, isGiven]);
      await asked.put('class/manifest', text('small'));
      const pack = asked.put('class/pack', text('large'), { bulk: true });
      if (isGiven) await pack;
      else
        await assert.rejects(pack, { code: 'STORE_UNFIT', message: /'storageClass: STANDARD_IA' and gave 'STANDARD'/ });
    });

    it('holds the default class without asking', async () => {
      const { guarantees } = await storeWith({ storageClass: 'STANDARD' }).probe({ guarantees: true });
      assert.deepEqual(guarantees, [{ setting: 'storageClass', asked: 'STANDARD', got: 'STANDARD', isHeld: true }]);
    });
  });
}
