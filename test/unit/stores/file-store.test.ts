// The store on a directory: the conformance suite, and what only a disk can do wrong.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { FileStore } from '../../../src/stores/file-store.ts';
import { openStore, prepareStore } from '../../../src/stores/open-store.ts';
import { describeStore } from './conformance.ts';

const directories: string[] = [];
after(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

async function emptyDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-store-'));
  directories.push(directory);
  return directory;
}

describeStore({
  title: 'a directory',
  open: async () => new FileStore('local', await emptyDirectory()),
  conditionalPut: true,
  checksumAttested: false,
});

describe('store on a directory, as a disk', () => {
  it('never answers "empty" when its directory is gone or is another one', async () => {
    const parent = await emptyDirectory();
    const store = await openStore('local', { type: 'file', path: join(parent, 'store') });
    const gone = { code: 'STORE_UNAVAILABLE', message: `directory '${parent}/store' of copy 'local' does not exist` };
    const first = () => store.list('')[Symbol.asyncIterator]().next();
    await assert.rejects(first(), gone);
    await prepareStore({ type: 'file', path: join(parent, 'store') });
    await store.put('a', Buffer.from('a'));
    await rename(join(parent, 'store'), join(parent, 'elsewhere'));
    await assert.rejects(first(), gone);
    await assert.rejects(store.head('a'), gone);
    await mkdir(join(parent, 'store'));
    await assert.rejects(store.get('a'), { code: 'STORE_UNAVAILABLE', hint: 'was a disk unmounted?' });
    await assert.rejects(store.put('b', Buffer.from('b')), { code: 'STORE_UNAVAILABLE' });
  });

  it('never ends a listing early when its directory goes away meanwhile', async () => {
    const parent = await emptyDirectory();
    await mkdir(join(parent, 'store'));
    const store = new FileStore('local', join(parent, 'store'));
    for (let number = 10; number < 99; number++) await store.put(`a/${number}`, Buffer.from('x'));
    for (const seen of [1, 2, 40, 88]) {
      const keys: string[] = [];
      const read = async () => {
        for await (const { key } of store.list('a/')) {
          keys.push(key);
          if (keys.length === seen) await rename(join(parent, 'store'), join(parent, 'elsewhere'));
        }
      };
      // What was looked at before it went may still be told.
      const hasEnded = await read().then(
        () => true,
        (error: { code: string }) => error.code !== 'STORE_UNAVAILABLE',
      );
      assert.ok(!hasEnded || keys.length === 89, `${keys.length} keys after it went behind ${seen}`);
      await rename(join(parent, 'elsewhere'), join(parent, 'store'));
    }
  });

  it('does not show an unfinished write, and leaves none behind after a refused put', async () => {
    const directory = await emptyDirectory();
    const store = new FileStore('local', directory);
    await writeFile(join(directory, '.tmp-killed'), 'half');
    await store.put('a/b', Buffer.from('x'));
    await assert.rejects(store.put('a/b', Buffer.from('y')), { code: 'OBJECT_EXISTS' });
    const keys = [];
    for await (const { key } of store.list('')) keys.push(key);
    assert.deepEqual(keys, ['a/b']);
    assert.deepEqual((await readdir(directory)).sort(), ['.tmp-killed', 'a']);
  });

  it('makes its directories again when somebody removed them', async () => {
    const directory = await emptyDirectory();
    const store = new FileStore('local', directory);
    await store.put('a/b/c', Buffer.from('x'));
    await rm(join(directory, 'a'), { recursive: true });
    await store.put('a/b/c', Buffer.from('y'));
    assert.equal((await store.get('a/b/c')).toString(), 'y');
  });

  it('makes its directories again for each of many writes that meet their removal at once', async () => {
    const directory = await emptyDirectory();
    const store = new FileStore('local', directory);
    const putAll = () =>
      Promise.all(Array.from({ length: 40 }, (_, number) => store.put(`a/${number}/c`, Buffer.from('x'))));
    for (let round = 0; round < 5; round++) {
      await putAll();
      await rm(join(directory, 'a'), { recursive: true });
    }
    await putAll();
    assert.equal((await readdir(join(directory, 'a'))).length, 40);
  });
});
