// What stays in place when its data is exchanged: mount points of every kind and links, nothing else.

import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { mountedBelow, staysInPlace } from '../../../../src/postgres/recovery/own-place.ts';
import { holdfastDirectory, keptDirectory } from '../../../../src/postgres/recovery/paths.ts';
import { run } from '../../../../src/process/index.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';

test('a directory gets its work directory beside it, a link inside of what it leads to, one that leads nowhere beside it', async (t) => {
  const directory = await temporaryDirectory(t);
  const at = (name: string) => path.join(directory, name);
  await mkdir(at('data'));
  await symlink('data', at('link'));
  await symlink('nothing', at('dangling'));
  assert.deepEqual(
    ['data', 'link', 'dangling', 'absent'].map((name) => staysInPlace(at(name))),
    [false, true, false, false],
  );
  assert.equal(holdfastDirectory(at('data')), at('data.holdfast'));
  assert.equal(holdfastDirectory(at('link')), at('data/pgsql_tmp.holdfast'));
  assert.equal(holdfastDirectory(at('absent')), at('absent.holdfast'));
  assert.equal(keptDirectory(at('data'), '1'), at('data.before-1'));
  assert.equal(keptDirectory(at('link'), '1'), at('data/pgsql_tmp.holdfast/before-1'));
});

test('a mount of the same file system is a mount too, whatever is in its name', async (t) => {
  const directory = await temporaryDirectory(t);
  const [from, to] = [path.join(directory, 'from'), path.join(directory, 'two words')];
  await mkdir(from);
  await mkdir(to);
  assert.equal(staysInPlace(to), false);
  assert.equal(mountedBelow(directory), undefined);
  await run('mount', ['--bind', from, to]);
  try {
    assert.equal(staysInPlace(to), true);
    assert.equal(staysInPlace(from), false);
    assert.equal(mountedBelow(directory), to);
    assert.equal(mountedBelow(to), undefined);
  } finally {
    await run('umount', [to]);
  }
});
