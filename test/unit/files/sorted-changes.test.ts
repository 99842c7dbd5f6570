// Changes in another order with a few of them in memory: all of them, as a sort in memory has them, and nothing is left of it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Change } from '../../../src/files/in-place/change.ts';
import { sortedChanges } from '../../../src/files/in-place/sorted-changes.ts';
import { walkKey } from '../../../src/files/walk-order.ts';
import { dice } from '../../support/file-trees.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const change = (path: string, inode: number): Change => ({
  ...{ path, kind: 'settle', type: 'directory', aspects: [], amount: { entries: 1, bytes: 0 } },
  inode: `${inode}`,
});

async function* each<Each>(items: readonly Each[]): AsyncGenerator<Each> {
  yield* items;
}

const openFiles = () => readdirSync('/proc/self/fd').length;

test('they come in the order of their keys, of equal ones in that of the list, however few are in memory', async (t) => {
  const directory = await temporaryDirectory(t);
  const roll = dice(7);
  // Names that sort otherwise as bytes than in a walk, and lines that are longer than what is read at once.
  const names = ['a', 'a b', 'a-', 'a\n', '\u{1F600}', 'x'.repeat(200)];
  const name = () => names[roll(names.length)] as string;
  const all = Array.from({ length: 1_000 }, (_, at) => change(Array.from({ length: 1 + roll(6) }, name).join('/'), at));
  const key = ({ path }: Change) => walkKey(path);
  const sorted = all.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
  const before = openFiles();
  for (const mostInMemory of [5, 7, 999, 1_000, 5_000]) {
    const found: Change[] = [];
    for await (const next of sortedChanges(each(all), { directory, key, mostInMemory })) {
      found.push(next);
      assert.deepEqual(readdirSync(directory), []);
    }
    assert.deepEqual(found, sorted, `${mostInMemory}`);
  }
  for await (const _ of sortedChanges(each(all), { directory, key, mostInMemory: 50 })) break;
  assert.equal(openFiles(), before);
  assert.deepEqual(readdirSync(directory), []);
});

test('on a disk that is full they are sorted all the same', async (t) => {
  const directory = await temporaryDirectory(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory]);
  try {
    const all = Array.from({ length: 2_000 }, (_, at) => change(`${(at * 7_919) % 2_003}`, at));
    const key = ({ path }: Change) => path.padStart(5, '0');
    const found: Change[] = [];
    for await (const next of sortedChanges(each(all), { directory, key, mostInMemory: 100 })) found.push(next);
    assert.deepEqual(
      found,
      all.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
    );
  } finally {
    execFileSync('umount', [directory]);
  }
});
