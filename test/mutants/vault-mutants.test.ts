// Mutants of a vault: bytes truncated, flipped, swapped, moved, exchanged or gone; each must be refused with the right code.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, copyFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { lsnFrom } from '../../src/domain/lsn.ts';
import { createVault, generateKeyFile, type LogHeader, openVault, type Vault } from '../../src/vault/index.ts';
import {
  COMPONENT,
  readFiles,
  seededBytes,
  snapshotId,
  type TestVault,
  takeSnapshot,
  testVault,
} from '../support/vault.ts';

const files = { 'base/1': seededBytes('one', 300_000), 'base/2': seededBytes('two', 300_000) };
const others = { 'base/3': seededBytes('three', 300_000), 'base/4': seededBytes('four', 300_000) };
const SYSTEM = '7432198765432109876';
const bytes = seededBytes('log', 1024 * 1024);
const header: LogHeader = {
  timeline: 1,
  segmentSizeBytes: bytes.length,
  fromLsn: lsnFrom(BigInt(bytes.length)),
  toLsn: lsnFrom(2n * BigInt(bytes.length)),
  sha256: createHash('sha256').update(bytes).digest('hex'),
  restorePoints: [],
};

/** Keys of a copy's directory that match. */
async function keys(test: TestVault, pattern: RegExp, copy = 'local'): Promise<string[]> {
  const names = await readdir(test.path(copy), { recursive: true });
  return names.filter((name) => pattern.test(name)).sort();
}

async function only(test: TestVault, pattern: RegExp, copy = 'local'): Promise<string> {
  const found = await keys(test, pattern, copy);
  assert.equal(found.length, 1, `expected one object, found ${found.join(', ')}`);
  return join(test.path(copy), found[0] as string);
}

const PACK = /packs\/..\/[0-9a-f]{64}$/;
const MANIFEST = /snapshots\/\d{8}\./;
const INDEX = /indexes\/./;
const DATA_KEY = /generations\/[^/]+\/key$/;
const SEGMENT = /log\/.*\/[0-9A-F]{24}$/;
const RECORD = /^runs\/[^/]+\/./;

async function flip(path: string, at: number): Promise<void> {
  const content = await readFile(path);
  const offset = at < 0 ? content.length + at : at;
  content.writeUInt8(content.readUInt8(offset) ^ 1, offset);
  await writeFile(path, content);
}

async function swap(a: string, b: string): Promise<void> {
  await copyFile(a, `${a}.swap`);
  await copyFile(b, a);
  await copyFile(`${a}.swap`, b);
  await rm(`${a}.swap`);
}

async function readAll(vault: Vault, number = 1): Promise<void> {
  await readFiles(await vault.openSnapshot(snapshotId(number)));
}

async function one(copies = ['local']): Promise<TestVault> {
  const test = await testVault({ copies, policy: { copies: copies.length, offsite: 0 } });
  await takeSnapshot(test.vault, files);
  return test;
}

const damaged = { code: 'OBJECT_DAMAGED' };

describe('vault mutants: packs', () => {
  it('refuses a pack cut short', async () => {
    for (const left of [0, 39, 40, 70_000, -1]) {
      await using test = await one();
      const pack = await only(test, PACK);
      await truncate(pack, left < 0 ? (await readFile(pack)).length + left : left);
      await assert.rejects(readAll(await test.reopen()), damaged, `${left} bytes left`);
    }
  });

  it('refuses a pack with one flipped bit, wherever a file or its key lies', async () => {
    for (const at of [0, 4, 8, 39, 40, 100, 65_590, 300_000]) {
      await using test = await one();
      await flip(await only(test, PACK), at);
      await assert.rejects(readAll(await test.reopen()), (error: { code: string }) =>
        ['OBJECT_DAMAGED', 'VAULT_FORMAT'].includes(error.code),
      );
    }
  });

  it('refuses a pack under the name of another', async () => {
    await using test = await one();
    await takeSnapshot(test.vault, others, 2);
    const [a = '', b = ''] = await keys(test, PACK);
    await swap(join(test.path('local'), a), join(test.path('local'), b));
    await assert.rejects(readAll(await test.reopen()), damaged);
  });

  it('reads from another copy what one copy lacks or has damaged, and says missing when none has it', async () => {
    await using test = await one(['local', 'eu']);
    const vault = await test.reopen();
    const reader = await vault.openSnapshot(snapshotId(1), 'local');
    await flip(await only(test, PACK), 70_000);
    assert.deepEqual(await readFiles(reader), files);
    await rm(await only(test, PACK));
    assert.deepEqual(await readFiles(await vault.openSnapshot(snapshotId(1), 'local')), files);
    await rm(await only(test, PACK, 'eu'));
    await assert.rejects(readAll(vault), { code: 'OBJECT_MISSING' });
  });

  it('does not reuse a damaged pack that a killed attempt left', async () => {
    await using test = await one();
    await rm(await only(test, MANIFEST));
    await flip(await only(test, PACK), 70_000);
    await takeSnapshot(await test.reopen(), files, 2);
    await readAll(await test.reopen(), 2);
  });

  it('does not count a pack that a copy lost since as stored there', async () => {
    await using test = await one(['local', 'eu']);
    await rm(await only(test, PACK, 'eu'));
    await takeSnapshot(await test.reopen(), { ...files, more: Buffer.from('more') }, 2);
    await rm(join(test.path('local'), 'database'), { recursive: true });
    await readAll(await test.reopen(), 2);
  });
});

describe('vault mutants: sealed objects', () => {
  it('refuses one flipped bit anywhere in a manifest', async () => {
    await using test = await one();
    const manifest = await only(test, MANIFEST);
    const size = (await readFile(manifest)).length;
    for (const at of [0, 4, 5, 6, 7, 8, 43, 47, 55, 63, 64, 80, size - 17, size - 1]) {
      await flip(manifest, at);
      const vault = await test.reopen();
      const outcome = await vault.openSnapshot(snapshotId(1)).then(
        () => 'opened',
        (error: { code: string }) => error.code,
      );
      assert.ok(['NOT_FOUND', 'OBJECT_DAMAGED', 'VAULT_FORMAT'].includes(outcome), `byte ${at}: ${outcome}`);
      await flip(manifest, at);
    }
    await readAll(await test.reopen());
  });

  it('refuses a manifest cut short or with something behind it', async () => {
    await using test = await one();
    const manifest = await only(test, MANIFEST);
    const content = await readFile(manifest);
    for (const changed of [content.subarray(0, -1), Buffer.concat([content, Buffer.alloc(1)])]) {
      await writeFile(manifest, changed);
      await assert.rejects((await test.reopen()).openSnapshot(snapshotId(1)), damaged);
    }
  });

  it('does not take a manifest for that of another number, snapshot or component', async () => {
    await using test = await one();
    const manifest = await only(test, MANIFEST);
    const places = [
      join(dirname(manifest), `00000002.${snapshotId(1)}`),
      join(dirname(manifest), `00000001.${snapshotId(2)}`),
    ];
    for (const place of places) {
      await copyFile(manifest, place);
      assert.equal((await (await test.reopen()).listSnapshots()).length, 1);
      await assert.rejects((await test.reopen()).openSnapshot(snapshotId(2)), { code: 'NOT_FOUND' });
    }
    await takeSnapshot(test.vault, files, 3, { component: 'database/other' });
    await copyFile(manifest, join(test.path('local'), `database/other/snapshots/00000001.${snapshotId(1)}`));
    assert.equal((await (await test.reopen()).listSnapshots('database/other')).length, 1);
  });

  it('numbers the next snapshot by real manifests, whatever rubbish has a higher number', async () => {
    await using test = await one();
    const manifest = await only(test, MANIFEST);
    await writeFile(join(dirname(manifest), `99999999.${snapshotId(9)}`), 'rubbish');
    const taken = await takeSnapshot(await test.reopen(), others, 2);
    assert.equal(taken.sequence, 2);
    await readAll(await test.reopen(), 2);
  });

  it('does not take a manifest from another vault', async () => {
    await using test = await one();
    await using other = await one();
    await copyFile(await only(other, MANIFEST), await only(test, MANIFEST));
    assert.deepEqual(await (await test.reopen()).listSnapshots(), []);
  });

  it('reads without a damaged or missing index, by the packs themselves', async () => {
    await using test = await one();
    await flip(await only(test, INDEX), 100);
    await readAll(await test.reopen());
    await rm(await only(test, INDEX));
    await readAll(await test.reopen());
    await flip(await only(test, PACK), -20);
    await assert.rejects(readAll(await test.reopen()), damaged);
  });

  it('refuses a damaged data key of a generation, and that of another one', async () => {
    await using test = await one();
    await takeSnapshot(test.vault, files, 2, { class: 'other' });
    const [a = '', b = ''] = (await keys(test, DATA_KEY)).map((key) => join(test.path('local'), key));
    await swap(a, b);
    await assert.rejects(readAll(await test.reopen()), damaged);
    await swap(a, b);
    await flip(a, -1);
    await assert.rejects(readAll(await test.reopen()), damaged);
  });

  it('refuses flipped bits and exchanged places in the log', async () => {
    await using test = await one();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    await log.putSegment(header, bytes);
    const segment = await only(test, SEGMENT);
    const [object] = (await log.list()).objects;
    assert.ok(object);
    await flip(segment, 500_000);
    assert.deepEqual(await log.readHeader(object), header);
    await assert.rejects(log.read(object), damaged);
    await flip(segment, 70);
    await assert.rejects(log.readHeader(object), damaged);
    await assert.rejects(log.putSegment(header, bytes), damaged);
    await flip(segment, 70);
    await flip(segment, 500_000);
    const next = segment.replace(/1$/, '2');
    await copyFile(segment, next);
    await rm(segment);
    const [moved] = (
      await test.vault
        .log(COMPONENT, SYSTEM, 'local')
        .list()
        .catch(() => ({ objects: [] }))
    ).objects;
    assert.equal(moved, undefined);
  });

  it('refuses a damaged record and one under the name of another', async () => {
    await using test = await one();
    await test.vault.putRecord('run-1', 'begin', { state: 'running' });
    const record = await only(test, RECORD);
    await copyFile(record, join(dirname(record), 'end'));
    await assert.rejects(test.vault.getRecord('run-1', 'end'), damaged);
    await assert.rejects(test.vault.getRecord('run-1', 'none'), { code: 'NOT_FOUND' });
    await assert.rejects(test.vault.putRecord('run-1', 'begin', { state: 'other' }), { code: 'OBJECT_EXISTS' });
    await flip(record, -1);
    await assert.rejects(test.vault.getRecord('run-1', 'begin'), damaged);
  });
});

describe('vault mutants: descriptor and keys', () => {
  it('refuses the key of another vault, and a wrong passphrase', async () => {
    await using test = await testVault();
    const other = join(test.directory, 'other.key');
    await generateKeyFile(other);
    const wrong = { code: 'VAULT_KEY_WRONG' };
    await assert.rejects(test.reopen({ keys: [{ name: 'host', kind: 'file', path: other }] }), wrong);
    const safe = (text: string) => ({ name: 'safe', kind: 'passphrase', resolve: async () => text }) as const;
    await createVault({ ...test.options, keys: [...test.options.keys, safe('right')] });
    assert.equal((await test.reopen({ keys: [safe('right')] })).id, test.vault.id);
    await assert.rejects(test.reopen({ keys: [safe('wrong')] }), wrong);
    await assert.rejects(createVault({ ...test.options, keys: [...test.options.keys, safe('wrong')] }), wrong);
  });

  it('opens with another slot when one is damaged, and not when all are', async () => {
    await using test = await testVault();
    const second = join(test.directory, 'second.key');
    await generateKeyFile(second);
    const all = [...test.options.keys, { name: 'second', kind: 'file', path: second } as const];
    await createVault({ ...test.options, keys: all });
    await writeFile(await only(test, /^keys\/host\./), '{"slot":"host"}');
    assert.equal((await test.reopen({ keys: all })).id, test.vault.id);
    await assert.rejects(test.reopen(), { code: 'VAULT_KEY_WRONG' });
  });

  it('refuses a slot whose parameters would make a passphrase cheap to guess', async () => {
    await using test = await testVault();
    const safe = { name: 'safe', kind: 'passphrase', resolve: async () => 'right' } as const;
    await createVault({ ...test.options, keys: [...test.options.keys, safe] });
    const slot = await only(test, /^keys\/safe\./);
    await writeFile(slot, (await readFile(slot, 'utf8')).replace('131072', '1024'));
    await assert.rejects(test.reopen({ keys: [safe] }), { code: 'VAULT_KEY_WRONG' });
  });

  it('notices a descriptor that was changed, is from another vault, or from a later format', async () => {
    const codes: Record<string, (text: string) => string> = {
      OBJECT_DAMAGED: (text) => text.replace(/"created":"2\d/, '"created":"19'),
      VAULT_FORMAT: (text) => text.replace('"format":1', '"format":2'),
      VAULT_KEY_WRONG: (text) => text.replace(/"vault":"[0-9a-f]{8}/, '"vault":"00000000'),
      VAULT_OTHER: (text) => text.replace('acme', 'other'),
    };
    for (const [code, change] of Object.entries(codes)) {
      await using test = await testVault();
      const descriptor = join(test.path('local'), 'holdfast.json');
      await writeFile(descriptor, change(await readFile(descriptor, 'utf8')));
      await assert.rejects(openVault(test.options), { code });
    }
  });

  it('puts a copy with another or no vault aside, and never fills it by itself', async () => {
    await using test = await testVault({ copies: ['local', 'eu', 'us'], policy: { copies: 1, offsite: 0 } });
    await using other = await testVault();
    await copyFile(join(other.path('local'), 'holdfast.json'), join(test.path('eu'), 'holdfast.json'));
    for (const name of await readdir(test.path('us'))) await rm(join(test.path('us'), name), { recursive: true });
    const vault = await test.reopen();
    const conditions = await vault.conditions();
    assert.deepEqual(
      conditions.map((each) => (each.state === 'ready' ? 'ready' : each.error.code)),
      ['ready', 'VAULT_OTHER', 'VAULT_MISSING'],
    );
    const taken = await takeSnapshot(vault, files);
    assert.deepEqual(taken.copies, { local: 'present', eu: 'away', us: 'away' });
    assert.deepEqual(await readdir(test.path('us')), []);
    await assert.rejects(vault.adoptCopy('eu'), { code: 'VAULT_OTHER' });
    await vault.adoptCopy('us');
    await vault.catchUp('us');
    assert.deepEqual(await readFiles(await vault.openSnapshot(taken.id, 'us')), files);
  });

  it('does not make a vault in a store that holds something', async () => {
    await using test = await testVault();
    await rm(join(test.path('local'), 'holdfast.json'));
    await takeSnapshot(test.vault, files).catch(() => {});
    await writeFile(join(test.path('local'), 'photo.jpg'), 'x');
    await assert.rejects(createVault(test.options), { code: 'STORE_UNFIT' });
  });

  it('refuses a key file that others may read, and never overwrites one', async () => {
    await using test = await testVault();
    await assert.rejects(generateKeyFile(test.keyFile), { code: 'TARGET_UNFIT' });
    await chmod(test.keyFile, 0o644);
    await assert.rejects(test.reopen(), { code: 'SECRET_UNRESOLVED' });
  });
});
