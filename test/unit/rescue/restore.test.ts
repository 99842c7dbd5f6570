// rescue.mjs from the copy itself, in an empty directory: gives back what was captured, on every runtime, and says what it cannot give back.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { DataKeys } from '../../../src/kms/index.ts';
import { generateKeyFile, type KeySource } from '../../../src/vault/index.ts';
import { readTree, rescue, runtimes, takeRescue } from '../../support/rescue.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { FROM, inPieces, request, seededBytes, type TestVault, TO, testVault } from '../../support/vault.ts';

const text = (word: string, times: number) => Buffer.from(`${word} `.repeat(times));
const captured = {
  'base/pages': seededBytes('pages', 300_000),
  'base/text': text('account', 60_000),
  'deep/er/still/file': text('deep', 3),
  empty: Buffer.alloc(0),
  'large text': text('lorem ipsum', 400_000),
  'large bytes': seededBytes('large', 3_000_000),
  ...Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`small/${n}`, text(`small ${n}`, n)])),
};
const [pinned] = (await runtimes()).slice(1);
const ID = '20261123T061407Z-00000001';

async function capture({ vault }: TestVault): Promise<void> {
  const writer = await vault.writeSnapshot(request(1, { component: 'files/uploads', kind: 'files' }));
  await writer.addDirectory({ path: 'base', mode: 0o750, mtimeSeconds: 1_700_000_001 });
  await writer.addDirectory({ path: 'nothing in it', mode: 0o500, mtimeSeconds: 1_700_000_002 });
  for (const [name, bytes] of Object.entries(captured)) {
    const chunking = name.startsWith('base/') ? 'pages' : 'content';
    const mode = name === 'empty' ? 0o444 : 0o640;
    await writer.addFile({ path: name, mode, mtimeSeconds: 1_700_000_003, chunking }, inPieces(bytes));
  }
  await writer.addSymlink({ path: 'link', mode: 0o777, mtimeSeconds: 3, linkTarget: '/elsewhere' });
  await writer.addSymlink({ path: 'base/relative', mode: 0o777, mtimeSeconds: 3, linkTarget: '../empty' });
  await writer.commit({ to: TO, state: 'clean', engine: {} });
}

async function prepared(t: TestContext, setup: Parameters<typeof testVault>[0] = {}) {
  const test = await testVault(setup);
  t.after(() => test[Symbol.asyncDispose]());
  await capture(test);
  const directory = await temporaryDirectory(t);
  const script = await takeRescue(test.path('local'), path.join(directory, 'bare'));
  const vault = ['--vault', test.path('local'), '--key-file', test.keyFile];
  return { test, directory, script, vault, to: path.join(directory, 'restored') };
}

async function objects(test: TestVault, pattern: RegExp): Promise<string[]> {
  const names = await readdir(test.path('local'), { recursive: true });
  const found = names.filter((name) => pattern.test(name)).sort();
  assert.notEqual(found.length, 0);
  return found.map((name) => path.join(test.path('local'), name));
}

async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(file, bytes);
}

async function assertRestored(to: string): Promise<void> {
  const found = await readTree(to);
  for (const [name, bytes] of Object.entries(captured)) {
    const mode = name === 'empty' ? 0o444 : 0o640;
    const file = { type: 'file', mode, mtimeSeconds: 1_700_000_003, content: bytes.toString('base64') };
    assert.deepEqual(found[name], file, name);
  }
  assert.deepEqual(found.base, { type: 'directory', mode: 0o750, mtimeSeconds: 1_700_000_001 });
  assert.deepEqual(found['nothing in it'], { type: 'directory', mode: 0o500, mtimeSeconds: 1_700_000_002 });
  assert.equal(found.link?.linkTarget, '/elsewhere');
  assert.equal(found['base/relative']?.linkTarget, '../empty');
  const directories = ['base', 'deep', 'deep/er', 'deep/er/still', 'nothing in it', 'small'];
  const expected = [...Object.keys(captured), ...directories, 'link', 'base/relative'];
  assert.deepEqual(Object.keys(found).sort(), expected.sort());
}

describe('rescue.mjs restores', () => {
  for (const compression of ['zstd', 'gzip', 'none'] as const) {
    it(`what was captured, written with compression ${compression}`, async (t) => {
      const { script, vault, directory } = await prepared(t, { changes: { compression } });
      for (const [n, runtime] of (await runtimes()).entries()) {
        const to = path.join(directory, `restored-${n}`);
        const listed = await rescue(script, runtime, [...vault, 'list', 'files/uploads']);
        assert.equal(listed.status, 0, listed.complained);
        assert.match(
          listed.said,
          new RegExp(`^files/uploads {2}${ID} {2}files .* ${FROM} .* clean .* 8\\.6 MiB +1$`, 'm'),
        );
        const done = await rescue(script, runtime, [...vault, 'restore', ID, '--to', to]);
        assert.equal(done.status, 0, `${runtime.name}: ${done.said}${done.complained}`);
        assert.match(done.said, /306 files, 8\.6 MiB; every file has the SHA-256 that was captured/);
        await assertRestored(to);
        const checked = await rescue(script, runtime, [...vault, 'check']);
        assert.equal(checked.status, 0, checked.said);
        assert.match(checked.said, /^\d+ good, 0 damaged, 0 missing, 0 unreadable; \d+ chunks/m);
      }
    });
  }

  it('by the packs alone when the index objects are damaged or gone', async (t) => {
    const { test, script, vault, to } = await prepared(t);
    const [index] = await objects(test, /indexes\/./);
    await flip(index!, 100);
    const done = await rescue(script, pinned!, [...vault, 'restore', ID, '--to', to]);
    assert.equal(done.status, 0, done.said);
    assert.match(done.said, /^note: .*indexes.* was changed.*; the packs' own indexes are used$/m);
    await assertRestored(to);
    await rm(index!);
    await rm(to, { recursive: true });
    assert.equal((await rescue(script, pinned!, [...vault, 'restore', ID, '--to', to])).status, 0);
    await assertRestored(to);
  });

  it('the other files when a pack is damaged, says which bytes are lost, and never shows a damaged file under its name', async (t) => {
    const { test, script, vault, to } = await prepared(t);
    // Each thread fills a pack of its own: the largest has files in its middle.
    const packs = await objects(test, /packs\/..\/[0-9a-f]{64}$/);
    const sizes = await Promise.all(packs.map(async (pack) => (await readFile(pack)).length));
    const largest = Math.max(...sizes);
    await flip(packs[sizes.indexOf(largest)] as string, Math.floor(largest / 2));
    const done = await rescue(script, pinned!, [...vault, 'restore', ID, '--to', to]);
    assert.equal(done.status, 4);
    assert.match(done.said, /^damaged: '[^']+': frame \d+ of pack '[0-9a-f]{64}' was changed \(bytes \d+ to \d+\)/m);
    const found = await readTree(to);
    const aside = Object.keys(found).filter((name) => name.endsWith('.damaged'));
    assert.notEqual(aside.length, 0);
    for (const [name, bytes] of Object.entries(captured)) {
      const isAside = aside.includes(`${name}.damaged`);
      assert.equal(found[name] === undefined, isAside, name);
      if (!isAside) assert.equal(found[name]?.content, bytes.toString('base64'));
      else assert.equal(Buffer.from(found[`${name}.damaged`]?.content ?? '', 'base64').length, bytes.length);
    }
    const checked = await rescue(script, pinned!, [...vault, 'check']);
    assert.equal(checked.status, 4);
    assert.match(checked.said, /^damaged {2}.*packs.*its bytes are not those that its name stands for$/m);
    assert.match(checked.said, /^damaged {2}files\/uploads\/snapshots\/.*: its pack [0-9a-f]{64} is damaged$/m);
  });

  it('nothing of a pack that is gone, and says so', async (t) => {
    const { test, script, vault, to } = await prepared(t);
    for (const pack of await objects(test, /packs\/..\/[0-9a-f]{64}$/)) await rm(pack);
    const done = await rescue(script, pinned!, [...vault, 'restore', ID, '--to', to]);
    assert.equal(done.status, 4);
    assert.match(done.said, /^damaged: the tree of .* cannot be read after 0 bytes: '.*packs.*' is not there$/m);
    const checked = await rescue(script, pinned!, [...vault, 'check']);
    assert.equal(checked.status, 4);
    assert.match(checked.said, /1 missing/);
  });
});

describe('rescue.mjs opens the vault', () => {
  it('with what AWS KMS gave for the ciphertext and context that it printed, in every form', async (t) => {
    const plain = seededBytes('data key', 32);
    const ciphertext = Buffer.from('what KMS calls it');
    const keyId = 'arn:aws:kms:eu-central-1:111122223333:key/1';
    const answer = { plain, ciphertext, keyId };
    const service: DataKeys = { location: keyId, generate: async () => answer, unwrap: async () => plain };
    const { test, directory, script } = await prepared(t);
    const aws: KeySource = { name: 'aws', kind: 'kms', service };
    const { id, slots } = test.vault;
    await slots.add(aws);
    const vault = ['--vault', test.path('local')];
    const { complained } = await rescue(script, pinned!, [...vault, 'list']);
    assert.match(
      complained,
      new RegExp(`aws kms decrypt --key-id ${keyId} --ciphertext-blob ${ciphertext.toString('base64')}`),
    );
    assert.match(complained, new RegExp(`--encryption-context holdfast-vault=${id},holdfast-slot=aws`));
    const file = path.join(directory, 'kms-key');
    for (const content of [plain, plain.toString('hex'), `${plain.toString('base64')}\n`]) {
      await writeFile(file, content);
      assert.equal((await rescue(script, pinned!, [...vault, '--kms-key-file', file, 'list'])).status, 0);
    }
    await writeFile(file, seededBytes('another', 32));
    assert.equal((await rescue(script, pinned!, [...vault, '--kms-key-file', file, 'list'])).status, 1);
  });
});

describe('rescue.mjs refuses', () => {
  it('a key of another vault, a file that is no key, and no key at all, naming the slots', async (t) => {
    const { script, directory, vault, to } = await prepared(t);
    const other = path.join(directory, 'other.key');
    await generateKeyFile(other);
    const run = (...args: string[]) =>
      rescue(script, pinned!, [...vault.slice(0, 2), ...args, 'restore', ID, '--to', to]);
    const wrong = await run('--key-file', other);
    assert.equal(wrong.status, 1);
    assert.match(
      wrong.complained,
      /^rescue: this key opens no slot of this vault; slots here: 'host' \(file, keys\/host\.[0-9a-f]{8}\.json\)$/m,
    );
    await writeFile(other, 'holdfast-key-1:short\n');
    assert.equal((await run('--key-file', other)).status, 2);
    const none = await run();
    assert.equal(none.status, 2);
    assert.match(none.complained, /^rescue: no key is given; slots here: 'host'/);
    await assert.rejects(readdir(to));
  });

  it('a target that is not empty', async (t) => {
    const { script, vault, to } = await prepared(t);
    await mkdir(to);
    await writeFile(path.join(to, 'mine'), 'x');
    const done = await rescue(script, pinned!, [...vault, 'restore', ID, '--to', to]);
    assert.equal(done.status, 3);
    assert.match(done.complained, /is not empty$/m);
    assert.deepEqual(await readdir(to), ['mine']);
  });

  it('objects that were exchanged for each other or moved', async (t) => {
    const { test, script, vault, to } = await prepared(t);
    const writer = await test.vault.writeSnapshot(request(2, { component: 'files/uploads', kind: 'files' }));
    await writer.commit({ to: TO, state: 'clean', engine: {} });
    const [one, two] = await objects(test, /snapshots\/\d{8}/);
    await rename(one!, `${one}x`);
    await rename(two!, one!);
    await rename(`${one}x`, two!);
    const done = await rescue(script, pinned!, [...vault, 'restore', ID, '--to', to]);
    assert.equal(done.status, 1);
    assert.match(done.complained, /was changed, or put here from another place/);
    await assert.rejects(readdir(to));
    const checked = await rescue(script, pinned!, [...vault, 'check']);
    assert.match(checked.said, / 2 damaged/);
  });

  it('a descriptor that somebody without the key wrote, and a later format', async (t) => {
    const { test, script, vault } = await prepared(t);
    const file = path.join(test.path('local'), 'holdfast.json');
    const good = await readFile(file, 'utf8');
    await writeFile(file, good.replace('acme', 'evil'));
    const changed = await rescue(script, pinned!, [...vault, 'list']);
    assert.equal(changed.status, 1);
    assert.match(changed.complained, /'holdfast\.json' was changed by somebody without the key/);
    await writeFile(file, good.replace('"format":1', '"format":2'));
    assert.match(
      (await rescue(script, pinned!, [...vault, 'list'])).complained,
      /has format '2', and this program reads format 1/,
    );
  });

  it('wrong use, with the options that there are', async (t) => {
    const { script, vault } = await prepared(t);
    for (const args of [
      ['list', '--frob'],
      ['restore'],
      ['frob'],
      [],
      ['restore', ID, '--to'],
      ['restore', ID, '--to', 'x', '--target-time', 'now'],
    ]) {
      const done = await rescue(script, pinned!, [...vault, ...args]);
      assert.equal(done.status, 2, args.join(' '));
      assert.match(done.complained, /^rescue: /);
    }
    assert.match((await rescue(script, pinned!, ['--help'])).said, /^usage: node rescue\.mjs/);
  });
});

describe('rescue.mjs never writes outside of its target', () => {
  const entries = {
    'a path that climbs out': (writer: Writer) => evil(writer, '../evil'),
    'a path that climbs out from inside': (writer: Writer) => evil(writer, 'a/../../evil'),
    'an absolute path': (writer: Writer) => evil(writer, '/tmp/holdfast-evil'),
    'a path with an empty part': (writer: Writer) => evil(writer, 'a//evil'),
    'a file below a link': async (writer: Writer, outside: string) => {
      await writer.addSymlink({ path: 'way', mode: 0o777, mtimeSeconds: 1, linkTarget: outside });
      await evil(writer, 'way/evil');
    },
    'a link in the place of a directory': async (writer: Writer, outside: string) => {
      await evil(writer, 'way/evil');
      await writer.addSymlink({ path: 'way', mode: 0o777, mtimeSeconds: 1, linkTarget: outside });
    },
    'a file twice': async (writer: Writer) => {
      await evil(writer, 'twice');
      await evil(writer, 'twice');
    },
  };
  type Writer = Awaited<ReturnType<TestVault['vault']['writeSnapshot']>>;
  const evil = (writer: Writer, name: string) =>
    writer.addFile({ path: name, mode: 0o600, mtimeSeconds: 1, chunking: 'content' }, inPieces(Buffer.from('evil')));

  for (const [what, add] of Object.entries(entries)) {
    it(`not for ${what}`, async (t) => {
      await using test = await testVault();
      const directory = await temporaryDirectory(t);
      const outside = path.join(directory, 'outside');
      await mkdir(outside);
      const writer = await test.vault.writeSnapshot(request(1, { kind: 'files' }));
      await add(writer, outside);
      await writer.addFile(
        { path: 'good', mode: 0o600, mtimeSeconds: 1, chunking: 'content' },
        inPieces(Buffer.from('good')),
      );
      await writer.commit({ to: TO, state: 'clean', engine: {} });
      const script = await takeRescue(test.path('local'), path.join(directory, 'bare'));
      const to = path.join(directory, 'in', 'restored');
      const args = ['--vault', test.path('local'), '--key-file', test.keyFile, 'restore', ID, '--to', to];
      const done = await rescue(script, pinned!, args);
      assert.equal(done.status, 4, done.said);
      assert.match(done.said, /^damaged: /m);
      assert.deepEqual(await readdir(outside), []);
      assert.deepEqual(await readdir(path.dirname(to)), ['restored']);
      assert.deepEqual((await readdir(directory)).sort(), ['bare', 'in', 'outside']);
      assert.equal(await readFile(path.join(to, 'good'), 'utf8'), 'good');
      await assert.rejects(readFile('/tmp/holdfast-evil'));
    });
  }
});
