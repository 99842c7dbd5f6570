// From a copy's settings to its store: credentials for each purpose, shared limits, and guarantees that `setup` refuses to go without.

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { type Configuration, parseConfiguration } from '../../../config/index.ts';
import { openCopyStore } from '../../../src/host/open-vault.ts';
import { setUpHost } from '../../../src/host/setup.ts';
import { storeConfig } from '../../../src/host/store-config.ts';
import type { StoreConfig } from '../../../src/stores/open-store.ts';
import { testS3, testVersitygw, wholeFile } from '../../support/components.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const server = await testS3(wholeFile, { buckets: ['plain'] });
await server.createBucket('locking', { objectLock: true });
const gateway = await testVersitygw(wholeFile);
await gateway.createBucket('plain');
await gateway.createBucket('locking', { objectLock: true });
process.env.S3_ID = server.accessKeyId;
process.env.S3_SECRET = server.secretAccessKey;
process.env.GATEWAY_ID = gateway.accessKeyId;
process.env.GATEWAY_SECRET = gateway.secretAccessKey;
process.env.WRONG = 'wrong';

const good = '{ accessKeyId: "env:S3_ID", secretAccessKey: "env:S3_SECRET" }';
const wrong = '{ accessKeyId: "env:WRONG", secretAccessKey: "env:WRONG" }';
const onServer = `region: ${server.region}, endpoint: "${server.endpoint}"`;
const onGateway = `region: ${gateway.region}, endpoint: "${gateway.endpoint}", accessKeyId: "env:GATEWAY_ID", secretAccessKey: "env:GATEWAY_SECRET"`;

function estate(directory: string, copies: string, vault = ''): Configuration {
  const text = `name: acme
sites: { home: {} }
hosts: { here: { site: home }, db1: { site: home } }
vault:
  keys: [{ name: host, file: vault.key }]
  copies: { ${copies} }
  commit: { copies: 1 }
  ${vault}
database:
  main: { host: db1, url: "env:DATABASE_URL" }
`;
  return parseConfiguration(text, path.join(directory, 'holdfast.yaml'));
}

const bucketCopy = (s3: string, more = '') => `eu: { s3: { prefix: own, ${s3} }, site: home${more} }`;

async function setUp(t: TestContext, copies: string) {
  const configuration = estate(await temporaryDirectory(t), copies);
  const options = { host: 'here', logger: pino({ level: 'silent' }), dryRun: false, makeKeys: true };
  return await setUpHost(configuration, { ...options, allowUnlimitedSlot: false, onStep: () => {} });
}

describe('credentials for each purpose', () => {
  const openWith = async (t: TestContext, credentials: string, purpose: 'backup' | 'restore' = 'backup') => {
    const configuration = estate('/etc', bucketCopy(`bucket: plain, ${onServer}, credentials: { ${credentials} }`));
    const store = await openCopyStore(configuration, 'eu', purpose);
    t.after(() => store.close());
    return store;
  };
  const text = Buffer.from('text');

  test('backups use those to write, restores those to restore, deletions those to prune', async (t) => {
    const writer = await openWith(t, `write: ${good}, restore: ${wrong}, prune: ${good}`);
    await writer.put('purpose/a', text);
    assert.equal((await writer.get('purpose/a')).toString(), 'text');
    const misread = await openWith(t, `write: ${good}, restore: ${wrong}, prune: ${good}`, 'restore');
    await assert.rejects(misread.get('purpose/a'), { code: 'STORE_DENIED' });
    const restorer = await openWith(t, `write: ${wrong}, restore: ${good}, prune: ${wrong}`, 'restore');
    assert.equal((await restorer.get('purpose/a')).toString(), 'text');
    assert.equal((await restorer.head('purpose/a'))?.sizeBytes, 4);
    await assert.rejects(restorer.put('purpose/b', text), { code: 'STORE_DENIED' });
    await assert.rejects(restorer.delete(['purpose/a']), { code: 'STORE_DENIED' });
    await writer.delete(['purpose/a']);
    assert.equal(await writer.head('purpose/a'), undefined);
  });

  test('without those to prune nothing is deleted, and the setting is named', async (t) => {
    const store = await openWith(t, `write: ${good}`);
    await store.put('kept/a', text);
    await assert.rejects(store.delete(['kept/a']), {
      code: 'STORE_DENIED',
      message: /^copy 'eu' at .* has no credentials to delete$/,
      hint: "add 'credentials.prune' to the copy, on the hosts that may delete",
    });
    assert.equal((await store.get('kept/a')).toString(), 'text');
  });

  test('without those to write a host can only restore', async (t) => {
    const store = await openWith(t, `restore: ${good}`, 'restore');
    assert.equal(await store.head('kept/none'), undefined);
    await assert.rejects(store.put('kept/b', text), { code: 'STORE_DENIED', message: /no credentials to write$/ });
  });
});

describe('limits', () => {
  test('are one for the host and one for each copy, shared by all stores of a process', () => {
    const copies = 'a: { file: a, site: home, bandwidth: 1MB/s }, b: { file: b, site: home }';
    const limited = estate('/etc', copies, 'bandwidth: 50MB/s');
    const sizes = (config: StoreConfig) => config.bandwidth?.pieceBytes;
    assert.equal(sizes(storeConfig(limited, 'a')), 15_625);
    assert.equal(sizes(storeConfig(limited, 'b')), 65_536);
    assert.equal(sizes(storeConfig(estate('/etc', copies), 'b')), undefined);
  });
});

describe('setup of a copy', () => {
  test('proves what its settings ask for, and says what it saw', async (t) => {
    const steps = await setUp(
      t,
      bucketCopy(
        `bucket: locking, ${onServer}, accessKeyId: "env:S3_ID", secretAccessKey: "env:S3_SECRET", lock: compliance, lockFor: 1h, sse: AES256, storageClass: STANDARD_IA`,
      ),
    );
    assert.deepEqual(
      steps.filter(({ state }) => state === 'failed'),
      [],
    );
    const { message } = steps.find(({ name }) => name === 'copy eu') ?? {};
    assert.match(
      message ?? '',
      /keeps versions, sse: AES256, storageClass: STANDARD_IA, lock: COMPLIANCE until \d{4}-\d\d-\d\dT/,
    );
  });

  for (const [what, settings, message] of [
    [
      'a lock of a bucket without',
      'bucket: plain, lock: governance, lockFor: 1h',
      /asked for 'lock: governance' and gave '400 /,
    ],
    ['encryption of a server without', 'bucket: plain, sse: AES256', /'sse: AES256' and gave 'no encryption'/],
    ['a class of a server without', 'bucket: plain, storageClass: GLACIER_IR', /GLACIER_IR' and gave 'STANDARD'/],
  ] as const) {
    test(`refuses ${what}, by name, and makes nothing there`, async (t) => {
      const steps = await setUp(t, bucketCopy(`${settings}, ${onGateway}`));
      const last = steps.at(-1);
      assert.equal(last?.name, 'copy eu');
      assert.equal(last?.error?.code, 'STORE_UNFIT');
      assert.match(last?.message ?? '', message);
      assert.match(last?.message ?? '', /^s3:\/\/plain\/own at http:/);
    });
  }
});
