// A stolen writer credential can add rubbish, not take anything away: on versioned buckets everything is read from under it.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DeleteObjectCommand, ListObjectVersionsCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { momentFromDate } from '../../../src/domain/moment.ts';
import type { S3Server } from '../../../src/sandbox/index.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import type { Vault } from '../../../src/vault/index.ts';
import { testS3, testVersitygw, wholeFile } from '../../support/components.ts';
import { idAt } from '../../support/retention.ts';
import { COMPONENT, readFiles, seededBytes, snapshotId, takeSnapshot, testVault } from '../../support/vault.ts';

const files = {
  'base/1/1259': seededBytes('pages', 400_000),
  'postgresql.conf': Buffer.from('shared_buffers = 128MB\n'),
  large: seededBytes('large', 2_500_000),
};

const servers: Record<string, () => Promise<S3Server>> = {
  SeaweedFS: () => testS3(wholeFile),
  versitygw: () => testVersitygw(wholeFile),
};

for (const [name, start] of Object.entries(servers)) {
  const server = await start();

  describe(`a vault on a versioned bucket of ${name}`, () => {
    let client: S3Client;
    before(() => {
      client = server.client();
    });
    after(() => client.destroy());

    async function vaultOn(bucket: string, options: { versioned: boolean }) {
      await server.createBucket(bucket, options);
      const { region, endpoint, accessKeyId, secretAccessKey } = server;
      const credentials = async () => ({ accessKeyId, secretAccessKey });
      const store = async () => new S3Store('eu', { bucket, region, endpoint, credentials });
      const test = await testVault({ copies: ['eu'], store });
      await takeSnapshot(test.vault, files, 1);
      await takeSnapshot(test.vault, { ...files, second: seededBytes('second', 300_000) }, 2);
      await test.vault.putRecord('run-1', 'result', { ended: 'well' });
      await test.vault.close();
      const open = async () =>
        test.reopen({ copies: test.options.copies.map((copy) => ({ ...copy, store: newStore(bucket) })) });
      return { ...test, open };
    }
    const newStore = (bucket: string) => {
      const { region, endpoint, accessKeyId, secretAccessKey } = server;
      const credentials = async () => ({ accessKeyId, secretAccessKey });
      return new S3Store('eu', { bucket, region, endpoint, credentials });
    };

    async function keysIn(Bucket: string): Promise<string[]> {
      const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
      return [...new Set(Versions.map(({ Key = '' }) => Key))].filter((key) => !key.startsWith('probe/'));
    }
    const junk = (key: string) =>
      key.endsWith('.json') ? Buffer.from('{"format":1}') : seededBytes(`junk for ${key}`, 5_000);
    const overwrite = (Bucket: string, Key: string) =>
      client.send(new PutObjectCommand({ Bucket, Key, Body: junk(Key) }));
    const cover = (Bucket: string, Key: string) => client.send(new DeleteObjectCommand({ Bucket, Key }));

    async function requireAll(vault: Vault): Promise<void> {
      const [newest, oldest] = await vault.listSnapshots(COMPONENT);
      assert.deepEqual([newest?.id, oldest?.id].sort(), [snapshotId(1), snapshotId(2)]);
      for (const id of [snapshotId(1), snapshotId(2)]) {
        await vault.verifyCopy(COMPONENT, id, 'eu');
        const read = await readFiles(await vault.openSnapshot(id));
        for (const [path, bytes] of Object.entries(files)) assert.ok(read[path]?.equals(bytes), path);
      }
      assert.deepEqual(await vault.getRecord('run-1', 'result'), { ended: 'well' });
    }

    it('is read whole after every object was overwritten and covered with delete markers', async () => {
      await using test = await vaultOn('stolen', { versioned: true });
      const keys = await keysIn('stolen');
      assert.ok(keys.length > 8, `only ${keys.length} objects: ${keys.join(' ')}`);
      for (const key of keys) await overwrite('stolen', key);
      await requireAll(await test.open());
      for (const key of keys) await cover('stolen', key);
      const vault = await test.open();
      await requireAll(vault);
      await vault.close();
    });

    it('is written on after that: the same objects count as there, and new snapshots are whole', async () => {
      await using test = await vaultOn('goes-on', { versioned: true });
      const keys = await keysIn('goes-on');
      for (const [number, key] of keys.entries()) {
        if (number % 2 === 0) await overwrite('goes-on', key);
        else await cover('goes-on', key);
      }
      const vault = await test.open();
      await takeSnapshot(vault, { ...files, third: seededBytes('third', 200_000) }, 3);
      assert.equal((await vault.listSnapshots(COMPONENT)).length, 3);
      await vault.verifyCopy(COMPONENT, snapshotId(3), 'eu');
      const read = await readFiles(await vault.openSnapshot(snapshotId(3)));
      assert.ok(read.third?.equals(seededBytes('third', 200_000)));
      await vault.close();
    });

    it('locks what is kept, when it is stored, and nothing else', async () => {
      await server.createBucket('kept', { objectLock: true });
      const { region, endpoint, accessKeyId, secretAccessKey } = server;
      const credentials = async () => ({ accessKeyId, secretAccessKey });
      const lock = { lock: 'governance', lockForSeconds: 3_600 } as const;
      const store = async () => new S3Store('eu', { bucket: 'kept', region, endpoint, credentials, ...lock });
      await using test = await testVault({ copies: ['eu'], store });
      const from = momentFromDate(new Date());
      await takeSnapshot(test.vault, files, 1, { from, id: idAt(from, 1) }, from);
      const lease = await test.vault.acquireLease('database/main', 'run-1', 60_000);
      await lease.release();
      await test.vault.putRecord('run-1', 'result', {});
      await test.vault.close();
      const pruner = newStore('kept');
      const locked = /^(database\/main\/(generations|snapshots)\/|keys\/.*\.json$|holdfast\.json$)/;
      for (const key of await keysIn('kept')) {
        if (locked.test(key)) await assert.rejects(pruner.delete([key]), { code: 'OBJECT_LOCKED' }, key);
        else await pruner.delete([key]);
      }
      const left = await keysIn('kept');
      assert.ok(left.length >= 6 && left.every((key) => locked.test(key)), left.join(' '));
      await pruner.close();
    });

    it('misses what its own deletion took, and says so', async () => {
      await using test = await vaultOn('deleted', { versioned: true });
      // All of them: packs have random names, and which snapshot needs which is not told by their order.
      const packs = (await keysIn('deleted')).filter((key) => key.includes('/packs/'));
      const store = newStore('deleted');
      await store.delete(packs);
      await store.close();
      const vault = await test.open();
      await assert.rejects(vault.verifyCopy(COMPONENT, snapshotId(1), 'eu'), { code: 'OBJECT_MISSING' });
      await vault.close();
    });

    it('is damaged by the same hand where the bucket keeps no versions', async () => {
      await using test = await vaultOn('unversioned', { versioned: false });
      const manifests = [];
      const store = newStore('unversioned');
      for await (const { key } of store.list(`${COMPONENT}/snapshots/`)) manifests.push(key);
      await store.close();
      assert.equal(manifests.length, 2);
      for (const key of manifests) await overwrite('unversioned', key);
      const vault = await test.open();
      assert.deepEqual(await vault.listSnapshots(COMPONENT), []);
      await vault.close();
    });
  });
}
