// The exchange of a data directory: from wherever a death has left it, it is finished or undone, and nothing is lost.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { exchange, undoExchange } from '../../../src/redis/restore/exchange.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

/** `rdb` is replaced, `aof` is only taken away, `new` was not there before, and `other` is nobody's business. */
const names = [
  { name: 'rdb', comesIn: true },
  { name: 'aof', comesIn: false },
  { name: 'new', comesIn: true },
];
/** In the order in which an exchange makes them. */
const renames = [
  ['root/rdb', 'kept/rdb'],
  ['root/aof', 'kept/aof'],
  ['staged/rdb', 'root/rdb'],
  ['staged/new', 'root/new'],
] as const;
const before = {
  'root/rdb': 'old',
  'root/aof': 'old',
  'root/other': 'other',
  'staged/rdb': 'come',
  'staged/new': 'come',
};
const after = { 'root/rdb': 'come', 'root/new': 'come', 'root/other': 'other', 'kept/rdb': 'old', 'kept/aof': 'old' };

async function stoppedAfter(t: TestContext, count: number) {
  const directory = await temporaryDirectory(t);
  const at = (name: string) => path.join(directory, name);
  for (const place of ['root', 'staged', 'kept']) await mkdir(at(place));
  for (const [name, text] of Object.entries(before)) await writeFile(at(name), text);
  for (const [from, to] of renames.slice(0, count)) await rename(at(from), at(to));
  return { root: at('root'), staged: at('staged'), kept: at('kept'), names };
}

async function contentOf({ root, staged, kept }: Awaited<ReturnType<typeof stoppedAfter>>) {
  const found: Record<string, string> = {};
  for (const [place, directory] of Object.entries({ root, staged, kept })) {
    for (const name of await readdir(directory)) {
      found[`${place}/${name}`] = await readFile(path.join(directory, name), 'utf8');
    }
  }
  return found;
}

test('an exchange that stopped anywhere is finished, twice over', async (t) => {
  for (let count = 0; count <= renames.length; count++) {
    const place = await stoppedAfter(t, count);
    await exchange(place);
    await exchange(place);
    assert.deepEqual(await contentOf(place), after, `after ${count} renames`);
  }
});

test('an exchange that stopped anywhere is undone, twice over, also one that was undone in part', async (t) => {
  for (let count = 0; count <= renames.length; count++) {
    const place = await stoppedAfter(t, count);
    await undoExchange(place);
    await undoExchange(place);
    assert.deepEqual(await contentOf(place), before, `after ${count} renames`);
  }
  for (let undone = 0; undone <= renames.length; undone++) {
    const place = await stoppedAfter(t, renames.length);
    const back = [...renames].reverse().slice(0, undone);
    const at = (name: string) => path.join(path.dirname(place.root), name);
    for (const [from, to] of back) await rename(at(to), at(from));
    await undoExchange(place);
    assert.deepEqual(await contentOf(place), before, `after ${undone} were undone`);
  }
});

test('what a server made meanwhile is kept, whichever way it goes on', async (t) => {
  const place = await stoppedAfter(t, 2);
  await writeFile(path.join(place.root, 'aof'), 'made by a server that was started');
  await undoExchange(place);
  const found = await contentOf(place);
  assert.deepEqual([found['root/aof'], found['root/rdb']], ['old', 'old']);
  assert.ok(Object.values(found).includes('made by a server that was started'));
});

test('what came under a name that nothing had before the exchange goes where the new came from, twice over', async (t) => {
  const place = await stoppedAfter(t, 0);
  await rm(path.join(place.root, 'aof'));
  const absent = await exchange(place);
  assert.deepEqual(absent, ['aof', 'new']);
  await writeFile(path.join(place.root, 'aof'), 'made since');
  await undoExchange({ ...place, absent });
  await undoExchange({ ...place, absent });
  const { 'root/aof': gone, ...rest } = before;
  assert.ok(gone);
  assert.deepEqual(await contentOf(place), { ...rest, 'staged/aof': 'made since' });
});

test('what a server wrote that was started between the two halves of an exchange is put aside, and the old is back', async (t) => {
  const place = await stoppedAfter(t, 2);
  await writeFile(path.join(place.root, 'rdb'), 'empty');
  await undoExchange(place);
  const found = await contentOf(place);
  assert.deepEqual([found['root/rdb'], found['root/aof'], found['staged/rdb']], ['old', 'old', 'come']);
  assert.ok(Object.entries(found).some(([name, text]) => name.startsWith('staged/rdb') && text === 'empty'));
});
