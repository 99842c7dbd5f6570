// Key slots on a real bucket that keeps versions and locks, and with credentials that may not delete.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileStore } from '../../../src/stores/file-store.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { createVault, generateKeyFile, type KeySource } from '../../../src/vault/index.ts';
import { testS3, wholeFile } from '../../support/components.ts';
import { type TestVault, testVault } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const server = await testS3(wholeFile);
await server.createBucket('locking', { objectLock: true });
const { region, endpoint, accessKeyId, secretAccessKey } = server;
const credentials = async () => ({ accessKeyId, secretAccessKey });

async function onBucket(prefix: string) {
  const where = { bucket: 'locking', prefix, region, endpoint };
  const eu = new S3Store('eu', { ...where, lock: 'governance', credentials });
  const writer = new S3Store('eu', { ...where, credentials: { read: credentials, write: credentials } });
  const test = await testVault({
    copies: ['local', 'eu'],
    store: async (name, directory) => (name === 'eu' ? eu : new FileStore(name, directory)),
  });
  const [host] = test.options.keys;
  const path = join(test.directory, 'second.key');
  await generateKeyFile(path);
  const second: KeySource = { name: 'second', kind: 'file', path };
  assert.ok(host);
  await createVault({ ...test.options, keys: [host, second] });
  return { test, eu, writer, host, second };
}

async function slotsOn(store: S3Store): Promise<string[]> {
  const names: string[] = [];
  for await (const { key } of store.list('keys/')) names.push(key.replace(/\.[0-9a-f]{8}\./, '.'));
  return names.toSorted();
}

const alone = ({ options }: TestVault, copy: string) =>
  options.copies.filter(({ description }) => description.name === copy);
const removed = ['keys/host.json', 'keys/second.removed'];
const left = ['keys/host.json', 'keys/second.json', 'keys/second.removed'];

it('a slot that is removed leaves no version of it behind', async () => {
  const { test, eu, host, second } = await onBucket('plain');
  await using _ = test;
  const change = await test.vault.slots.remove('second', [host]);
  assert.deepEqual([change.copies, change.kept, change.behind], [['local', 'eu'], [], []]);
  assert.deepEqual(await slotsOn(eu), removed);
  for (const key of change.removed) assert.deepEqual(await eu.versions(key), []);
  await assert.rejects(test.reopen({ keys: [second], copies: alone(test, 'eu') }), { code: 'VAULT_KEY_WRONG' });
});

it('a locked slot stays where it is locked, opens there until the lock ends, and goes with the next catch-up', async () => {
  const { test, eu, host, second } = await onBucket('locked');
  await using _ = test;
  const { slots } = await test.vault.slots.list([]);
  const object = slots.find(({ slot }) => slot === 'second')?.object ?? '';
  const until = new Date(Date.now() + 30_000);
  await eu.extendLock(object, until);
  const change = await test.vault.slots.remove('second', [host]);
  assert.deepEqual([change.copies, change.kept, change.behind], [['local', 'eu'], ['eu'], []]);
  assert.deepEqual(await slotsOn(eu), left);
  await test.reopen({ keys: [second], copies: alone(test, 'eu') });
  await test.vault.catchUp('local');
  await assert.rejects(test.reopen({ keys: [second], copies: alone(test, 'local') }), { code: 'VAULT_KEY_WRONG' });
  await sleep(Math.max(0, until.getTime() - Date.now()));
  await waitFor('the lock to have run out', async () => {
    await test.vault.catchUp('eu');
    return (await slotsOn(eu)).length === removed.length;
  });
  assert.deepEqual(await slotsOn(eu), removed);
});

it('a host whose credentials may not delete says that the copy is behind, and still catches it up', async () => {
  const { test, eu, writer, host } = await onBucket('denied');
  await using _ = test;
  const copies = test.options.copies.map((copy) => (copy.store === eu ? { ...copy, store: writer } : copy));
  const vault = await test.reopen({ copies });
  const change = await vault.slots.remove('second', [host]);
  assert.deepEqual(
    [change.copies, change.behind.map(({ copy, error }) => [copy, error.code])],
    [['local'], [['eu', 'STORE_DENIED']]],
  );
  await vault.catchUp('eu');
  assert.deepEqual(await slotsOn(eu), left);
  await test.vault.catchUp('eu');
  assert.deepEqual(await slotsOn(eu), removed);
});
