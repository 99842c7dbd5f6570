// AWS KMS as a way to open a vault, on two servers: one refuses a disabled key, the other a ciphertext that was tampered with.

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import {
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { AwsKms, type AwsKmsOptions } from '../../../src/kms/index.ts';
import { createVault, type KeySource } from '../../../src/vault/index.ts';
import { testMinistack, testMoto, wholeFile } from '../../support/components.ts';
import { type TestVault, testVault } from '../../support/vault.ts';

type Server = Awaited<ReturnType<typeof testMoto>>;
const ministack = await testMinistack(wholeFile);
const moto = await testMoto(wholeFile);
const context = { 'holdfast-vault': 'one', 'holdfast-slot': 'aws' };
const denied = { code: 'KEY_SERVICE_DENIED' };

function optionsFor({ region, endpoint, accessKeyId, secretAccessKey }: Server, keyId: string): AwsKmsOptions {
  return { keyId, region, endpoint, credentials: async () => ({ accessKeyId, secretAccessKey }) };
}

/** Somebody who may make and disable keys, which Holdfast never does. */
function administrator({ region, endpoint, accessKeyId, secretAccessKey }: Server): KMSClient {
  const client = new KMSClient({ region, endpoint, credentials: { accessKeyId, secretAccessKey } });
  after(() => client.destroy());
  return client;
}

async function newKey(server: Server): Promise<string> {
  const { KeyMetadata } = await administrator(server).send(new CreateKeyCommand({}));
  assert.ok(KeyMetadata?.KeyId);
  return KeyMetadata.KeyId;
}

const newKms = async (server: Server) => new AwsKms(optionsFor(server, await newKey(server)));

for (const [name, server] of [
  ['ministack', ministack],
  ['moto', moto],
] as const) {
  describe(`AWS KMS on ${name}`, () => {
    it('gives a new data key each time, and gives it back for the same context', async () => {
      const kms = await newKms(server);
      const [a, b] = [await kms.generate(context), await kms.generate(context)];
      assert.equal(a.plain.length, 32);
      assert.ok(!a.plain.equals(b.plain) && !a.ciphertext.includes(a.plain));
      assert.ok((await kms.unwrap(a.ciphertext, context))?.equals(a.plain));
      assert.match(a.keyId, /^arn:aws:kms:/);
    });

    it('does not give a data key back for another vault, another slot, or no context', async () => {
      const kms = await newKms(server);
      const { ciphertext } = await kms.generate(context);
      for (const other of [{ ...context, 'holdfast-vault': 'two' }, { ...context, 'holdfast-slot': 'other' }, {}]) {
        assert.equal(await kms.unwrap(ciphertext, other), undefined);
      }
    });

    it('says that a key which does not exist is refused, without trying again', async () => {
      await assert.rejects(new AwsKms(optionsFor(server, 'alias/nobody-made-it')).generate(context), denied);
    });
  });
}

describe('AWS KMS says no', () => {
  it('to a disabled key, until it is enabled again, and to one that waits for its deletion', async () => {
    const keyId = await newKey(ministack);
    const kms = new AwsKms(optionsFor(ministack, keyId));
    const { plain, ciphertext } = await kms.generate(context);
    const client = administrator(ministack);
    await client.send(new DisableKeyCommand({ KeyId: keyId }));
    await assert.rejects(kms.unwrap(ciphertext, context), { ...denied, message: /DisabledException/ });
    await assert.rejects(kms.generate(context), denied);
    await client.send(new EnableKeyCommand({ KeyId: keyId }));
    assert.ok((await kms.unwrap(ciphertext, context))?.equals(plain));
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: 7 }));
    await assert.rejects(kms.unwrap(ciphertext, context), denied);
  });

  it('to a ciphertext with one bit changed, wherever it is', async () => {
    const kms = await newKms(moto);
    const { ciphertext } = await kms.generate(context);
    for (let at = 0; at < ciphertext.length; at += 7) {
      const changed = Buffer.from(ciphertext);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      const plain = await kms.unwrap(changed, context).catch((error: { code: string }) => error.code);
      assert.ok(plain === undefined || plain === 'KEY_SERVICE_DENIED', `byte ${at}: ${typeof plain}`);
    }
  });

  it('to a ciphertext of another key, although our credentials may use that one too', async () => {
    const { ciphertext } = await (await newKms(moto)).generate(context);
    await assert.rejects((await newKms(moto)).unwrap(ciphertext, context), denied);
  });
});

/** A server that takes connections and never answers. */
async function silentEndpoint(t: TestContext): Promise<string> {
  const sockets = new Set<import('node:net').Socket>();
  const server = createServer((socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as import('node:net').AddressInfo).port}`;
}

describe('a dead AWS KMS', () => {
  it('is given up at our own deadline, wherever it hangs', async (t) => {
    const options = optionsFor(moto, 'alias/holdfast');
    const never = () => new Promise<never>(() => undefined);
    const hanging: Partial<AwsKmsOptions>[] = [{ endpoint: await silentEndpoint(t) }, { credentials: never }];
    for (const changes of hanging) {
      const kms = new AwsKms({ ...options, ...changes, deadlineMs: 500 });
      await assert.rejects(kms.generate(context), { code: 'KEY_SERVICE_UNAVAILABLE', message: /within 0.5 s/ });
    }
    const refused = new AwsKms({ ...options, endpoint: 'http://127.0.0.1:9' });
    await assert.rejects(refused.unwrap(Buffer.alloc(8), context), { code: 'KEY_SERVICE_UNAVAILABLE' });
  });

  it('never tells a secret in an error', async () => {
    const secretAccessKey = 'a-secret-nobody-may-see';
    const credentials = async () => ({ accessKeyId: 'AKIDWRONG', secretAccessKey });
    const kms = new AwsKms({ ...optionsFor(moto, 'alias/none'), credentials });
    const error = await kms.generate(context).catch((reason: unknown) => reason);
    assert.ok(error instanceof Error);
    assert.ok(!JSON.stringify(error).includes(secretAccessKey) && !String(error.stack).includes(secretAccessKey));
  });
});

async function withKms(service: AwsKms): Promise<{ test: TestVault; aws: KeySource; host: KeySource }> {
  const aws: KeySource = { name: 'aws', kind: 'kms', service };
  const test = await testVault({ copies: ['local', 'eu'] });
  const [host] = test.options.keys;
  assert.ok(host);
  await createVault({ ...test.options, keys: [host, aws] });
  return { test, aws, host };
}

async function slotObjects(test: TestVault, slot: string, copy = 'local'): Promise<string[]> {
  const names = await readdir(join(test.path(copy), 'keys'));
  return names.filter((name) => name.startsWith(`${slot}.`) && name.endsWith('.json'));
}

describe('a vault with a slot of AWS KMS', () => {
  it('opens by it alone, and keeps neither the data key nor the vault key in clear', async () => {
    const { test, aws } = await withKms(await newKms(moto));
    await using _ = test;
    assert.equal((await test.reopen({ keys: [aws] })).id, test.vault.id);
    const [name = ''] = await slotObjects(test, 'aws');
    const slot = JSON.parse(await readFile(join(test.path('local'), 'keys', name), 'utf8'));
    assert.deepEqual(Object.keys(slot).toSorted(), ['created', 'kind', 'kms', 'salt', 'slot', 'wrapped']);
    assert.deepEqual(Object.keys(slot.kms).toSorted(), ['ciphertext', 'keyId']);
  });

  it('opens by another key when the service is dead, and says later, not wrong, when there is no other', async () => {
    const { test, host } = await withKms(await newKms(moto));
    await using _ = test;
    const service = new AwsKms({ ...optionsFor(moto, 'alias/none'), endpoint: 'http://127.0.0.1:9' });
    const dead: KeySource = { name: 'aws', kind: 'kms', service };
    const missing: KeySource = { name: 'host', kind: 'file', path: join(test.directory, 'gone.key') };
    const safe: KeySource = { name: 'safe', kind: 'passphrase', resolve: async () => 'wrong' };
    assert.equal((await test.reopen({ keys: [dead, host] })).id, test.vault.id);
    await assert.rejects(test.reopen({ keys: [missing, dead, safe] }), { code: 'KEY_SERVICE_UNAVAILABLE' });
  });

  it('asks a dead service once, however many slots and copies there are', async () => {
    const kms = await newKms(moto);
    const { test } = await withKms(kms);
    await using _ = test;
    let asked = 0;
    const unwrap = () => {
      asked++;
      return new AwsKms({ ...optionsFor(moto, 'x'), endpoint: 'http://127.0.0.1:9' }).unwrap(Buffer.alloc(1), {});
    };
    const dead: KeySource = { name: 'aws', kind: 'kms', service: { ...kms, location: '', unwrap } as never };
    await assert.rejects(test.reopen({ keys: [dead] }), { code: 'KEY_SERVICE_UNAVAILABLE' });
    assert.equal(asked, 1);
  });

  it('does not open by a disabled key, nor by a ciphertext that was tampered with', async () => {
    const keyId = await newKey(ministack);
    const first = await withKms(new AwsKms(optionsFor(ministack, keyId)));
    await using _ = first.test;
    await administrator(ministack).send(new DisableKeyCommand({ KeyId: keyId }));
    await assert.rejects(first.test.reopen({ keys: [first.aws] }), denied);
    const second = await withKms(await newKms(moto));
    await using __ = second.test;
    for (const copy of ['local', 'eu']) {
      const [name = ''] = await slotObjects(second.test, 'aws', copy);
      const file = join(second.test.path(copy), 'keys', name);
      const slot = JSON.parse(await readFile(file, 'utf8'));
      const ciphertext = Buffer.from(slot.kms.ciphertext, 'base64');
      ciphertext.writeUInt8(ciphertext.readUInt8(60) ^ 1, 60);
      slot.kms.ciphertext = ciphertext.toString('base64');
      await writeFile(file, JSON.stringify(slot));
    }
    await assert.rejects(second.test.reopen({ keys: [second.aws] }), { code: 'VAULT_KEY_WRONG' });
    assert.equal((await second.test.reopen({ keys: [second.host] })).id, second.test.vault.id);
  });

  it('does not open by a slot that was carried over from another vault', async () => {
    const kms = await newKms(moto);
    const [one, two] = [await withKms(kms), await withKms(kms)];
    await using _ = one.test;
    await using __ = two.test;
    const [from = ''] = await slotObjects(one.test, 'aws');
    const bytes = await readFile(join(one.test.path('local'), 'keys', from));
    for (const copy of ['local', 'eu']) {
      for (const to of await slotObjects(two.test, 'aws', copy)) {
        await writeFile(join(two.test.path(copy), 'keys', to), bytes);
        await writeFile(join(two.test.path(copy), 'keys', from), bytes);
      }
    }
    await assert.rejects(two.test.reopen({ keys: [two.aws] }), { code: 'VAULT_KEY_WRONG' });
  });

  it('gets a new data key when it is rotated, also one of another KMS key, and the old slot is gone', async () => {
    const { test, aws, host } = await withKms(await newKms(moto));
    await using _ = test;
    const before = await slotObjects(test, 'aws');
    const vault = await test.reopen({ keys: [host] });
    const change = await vault.slots.rotate(aws, { fresh: true });
    assert.ok(change.made && change.removed.length === 1);
    const next: KeySource = { name: 'aws', kind: 'kms', service: await newKms(moto) };
    await vault.slots.rotate(next, { fresh: true });
    for (const copy of ['local', 'eu']) {
      const now = await slotObjects(test, 'aws', copy);
      assert.equal(now.length, 1);
      assert.notDeepEqual(now, before);
    }
    assert.equal((await test.reopen({ keys: [next] })).id, test.vault.id);
    await assert.rejects(test.reopen({ keys: [aws] }), denied);
  });
});
