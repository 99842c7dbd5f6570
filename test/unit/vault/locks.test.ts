// What is locked until when, read back from real servers: snapshots, what they share, log, and what opens it all.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { type Moment, momentFromDate } from '../../../src/domain/moment.ts';
import { FileStore } from '../../../src/stores/file-store.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { createVault, generateKeyFile, type KeySource, type Vault } from '../../../src/vault/index.ts';
import { parseGeneration, parseManifestKey, timeOfSnapshot } from '../../../src/vault/layout.ts';
import { isOpening, type Locks, locksIn as locksOnServer } from '../../support/locks.ts';
import { idAt, putSegment } from '../../support/retention.ts';
import { seededBytes, takeSnapshot, testVault } from '../../support/vault.ts';
import { s3Servers } from '../stores/s3-capabilities.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
/** Governance, so that a test may look at what a locked version does, and nothing outlives the server anyway. */
const lock = 'governance';
const daysAgo = (days: number) => momentFromDate(new Date(Date.now() - days * DAY * 1000));
const wholeSeconds = (ms: number) => Math.ceil(ms / 1000) * 1000;
const files = { 'base/1/1259': seededBytes('pages', 200_000), large: seededBytes('large', 500_000) };

for (const [name, { start }] of Object.entries(s3Servers)) {
  const server = await start();
  await server.createBucket('locks', { objectLock: true });
  const { region, endpoint, accessKeyId, secretAccessKey } = server;
  const credentials = async () => ({ accessKeyId, secretAccessKey });
  const opened: S3Store[] = [];
  after(() => Promise.all(opened.map((store) => store.close())));

  const storeAt = (prefix: string, lockForSeconds: number): S3Store => {
    const store = new S3Store('eu', { bucket: 'locks', prefix, region, endpoint, credentials, lock, lockForSeconds });
    opened.push(store);
    return store;
  };

  const locksIn = (prefix: string) => locksOnServer(server, 'locks', prefix);

  /** Throws when anything that opens the vault is locked shorter than anything that it opens. */
  function requireOpenable(locks: Locks): void {
    const longest = Math.max(...[...locks].flatMap(([key, end]) => (isOpening(key) || end === undefined ? [] : [end])));
    const opening = [...locks].filter(([key]) => isOpening(key));
    assert.ok(opening.length >= 2, 'a descriptor and a slot');
    for (const [key, end = 0] of opening) {
      assert.ok(end >= longest, `${key} is locked until ${new Date(end).toISOString()}, which is too short`);
    }
  }

  describe(`locks on ${name}`, () => {
    async function vaultAt(prefix: string, lockForSeconds: number) {
      const eu = storeAt(prefix, lockForSeconds);
      const store = async (copy: string, directory: string) => (copy === 'eu' ? eu : new FileStore(copy, directory));
      return await testVault({ copies: ['local', 'eu'], store });
    }
    const snapshotOf = (vault: Vault, from: Moment, number: number, more = {}) =>
      takeSnapshot(vault, files, number, { from, id: idAt(from, number), ...more }, from);

    it('end as the format says: by the end of the generation, the beginning of the snapshot, the arrival of log', async () => {
      await using test = await vaultAt('ends', 30 * DAY);
      await snapshotOf(test.vault, daysAgo(3), 1);
      await snapshotOf(test.vault, daysAgo(1), 2, { class: 'incremental' });
      const beforeMs = Date.now();
      await putSegment(test.vault, 'eu', 1, daysAgo(1));
      const afterMs = Date.now();
      await test.vault.putRecord('run-1', 'result', {});
      const lease = await test.vault.acquireLease('database/main', 'run-1', 60_000);
      await lease.release();
      await test.vault.close();

      const locks = await locksIn('ends');
      const kinds = { generations: 0, manifests: 0, segments: 0 };
      for (const [key, end] of locks) {
        if (isOpening(key)) continue;
        const generation = parseGeneration(/\/generations\/([^/]+)\//.exec(key)?.[1] ?? '');
        const manifest = parseManifestKey(key);
        if (generation) {
          kinds.generations++;
          assert.equal(end, wholeSeconds(generation.startMs + (7 + 30) * DAY * 1000), key);
        } else if (manifest) {
          kinds.manifests++;
          assert.equal(end, wholeSeconds(timeOfSnapshot(manifest.id) + 30 * DAY * 1000), key);
        } else if (/\/log\/\d+\/[0-9A-F]{8}\/[0-9A-F]{24}$/.test(key)) {
          kinds.segments++;
          assert.ok(end !== undefined && end >= beforeMs + 30 * DAY * 1000, key);
          assert.ok(end <= wholeSeconds(afterMs + 30 * DAY * 1000), key);
        } else assert.equal(end, undefined, `${key} is locked`);
      }
      // Two generations of a key, a pack at least and an index.
      assert.ok(kinds.generations >= 6 && kinds.manifests === 2 && kinds.segments === 1, JSON.stringify(kinds));
      requireOpenable(locks);
    });

    it('of what opens the vault follow whatever is locked longer, also for a slot that is added later', async () => {
      await using test = await vaultAt('opening', 2 * DAY);
      await snapshotOf(test.vault, daysAgo(0), 1);
      requireOpenable(await locksIn('opening'));
      const short = await locksIn('opening');
      // The same copy, configured to lock longer: the next snapshot takes the keys with it.
      const longer = test.options.copies.map((copy) =>
        copy.description.name === 'eu' ? { ...copy, store: storeAt('opening', 20 * DAY) } : copy,
      );
      const vault = await test.reopen({ copies: longer });
      await snapshotOf(vault, daysAgo(0), 2);
      const long = await locksIn('opening');
      requireOpenable(long);
      const slot = [...long.keys()].find((key) => key.startsWith('keys/')) ?? '';
      assert.ok((long.get(slot) ?? 0) > (short.get(slot) ?? 0) + 15 * DAY * 1000);
      // Configured to lock shorter again: what is made now opens what was locked before.
      const [host] = test.options.keys;
      const path = join(test.directory, 'second.key');
      await generateKeyFile(path);
      const second: KeySource = { name: 'second', kind: 'file', path };
      assert.ok(host);
      await createVault({ ...test.options, keys: [host, second] });
      const added = await locksIn('opening');
      assert.equal([...added.keys()].filter((key) => key.startsWith('keys/second.')).length, 1);
      requireOpenable(added);
    });

    it('keep whoever may write, and delete, from taking the keys away; what he lays over them hides nothing', async () => {
      await using test = await vaultAt('thief', 2 * DAY);
      await snapshotOf(test.vault, daysAgo(0), 1);
      const keys = [...(await locksIn('thief')).keys()].filter(isOpening);
      const thief = storeAt('thief', 2 * DAY);
      for (const key of keys) await assert.rejects(thief.delete([key]), { code: 'OBJECT_LOCKED' }, key);
      const client = server.client();
      for (const key of keys) {
        const where = { Bucket: 'locks', Key: `thief/${key}` };
        await client.send(new PutObjectCommand({ ...where, Body: 'nothing' }));
        await client.send(new DeleteObjectCommand(where));
      }
      client.destroy();
      const eu = test.options.copies.filter(({ description }) => description.name === 'eu');
      const vault = await test.reopen({ copies: eu, policy: { copies: 1, offsite: 0 } });
      assert.equal((await vault.listSnapshots()).length, 1);
      await vault.verifyCopy('database/main', idAt(await fromOf(vault), 1), 'eu');
    });

    it('are over for a snapshot that comes to a copy after its time: it is kept there, and not locked', async () => {
      await using test = await vaultAt('late', HOUR);
      const from = daysAgo(40);
      await snapshotOf(test.vault, from, 1);
      await test.vault.verifyCopy('database/main', idAt(from, 1), 'eu');
      for (const [key, end] of await locksIn('late')) {
        assert.equal(end !== undefined, isOpening(key), key);
      }
    });
  });

  async function fromOf(vault: Vault): Promise<Moment> {
    const [snapshot] = await vault.listSnapshots();
    assert.ok(snapshot);
    return snapshot.from;
  }
}
