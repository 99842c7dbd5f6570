// A file system that takes a time and keeps another one, as small ext4 and older XFS do after 2038: given back all the same, and told.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstat, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { compareBeside, confirmInPlace, restoreBeside, rollbackInPlace } from '../../../src/files/index.ts';
import { setTimes } from '../../../src/system/index.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { InPlaceTrees, namesIn } from '../../support/in-place.ts';

/** 2100 and 1890: beyond what an inode of 128 bytes holds. */
const LATE_NS = 4_102_444_800_000_000_000n;
const EARLY_NS = -2_524_521_600_000_000_000n;

describe('a restore where a file system does not keep what it is given', () => {
  let trees: InPlaceTrees;
  let root: string;
  let id: SnapshotId;

  before(async () => {
    trees = await InPlaceTrees.make();
    root = await trees.root('uploads');
    await mkdir(join(root, 'in'));
    for (const name of ['late', 'in/early', 'usual']) await writeFile(join(root, name), name);
    await symlink('late', join(root, 'link'));
    setTimes(join(root, 'in/early'), { atimeNs: 0n, mtimeNs: EARLY_NS });
    for (const name of ['late', 'link', 'in']) setTimes(join(root, name), { atimeNs: 0n, mtimeNs: LATE_NS });
    id = await trees.capture(root);
    const image = join(trees.base, 'image');
    execFileSync('mkfs.ext4', ['-q', '-I', '128', '-F', image, '64M'], { stdio: ['ignore', 'ignore', 'ignore'] });
    execFileSync('mount', ['-o', 'loop', image, root]);
  });
  after(async () => {
    execFileSync('umount', [root]);
    await trees[Symbol.asyncDispose]();
  });

  const named = ['in', 'in/early', 'late', 'link'];
  const namesOf = (lacking: { readonly first: readonly { path: string; what: string; code: string }[] }) =>
    lacking.first.map(({ path, what, code }) => `${path.replace(`${root.slice(1)}/`, '')} ${what} ${code}`).sort();

  it('brings it in with the time that can be had, names it, and finds nothing wrong', async () => {
    const told = named.map((name) => `${name} time not kept`);
    const first = await trees.restore(id, root, 'first');
    assert.deepEqual([namesOf(first.lacking), first.lacking.count], [told, named.length]);
    assert.notEqual((await lstat(join(root, 'late'), { bigint: true })).mtimeNs, LATE_NS);
    await confirmInPlace({ root, run: 'first' });
    const names = await namesIn(root);
    // What is there by now only gets its time again, or is brought in once more.
    const again = await trees.restore(id, root, 'again');
    assert.deepEqual(namesOf(again.lacking), told);
    await rollbackInPlace({ root, run: 'again' });
    assert.deepEqual(await namesIn(root), names);
  });

  it('gives back beside, and tells a time that the file system does not keep from one that somebody has changed', async () => {
    const reader = await trees.test.vault.openSnapshot(id);
    try {
      const directory = join(root, 'beside');
      await restoreBeside({ reader, directory, run: 'beside', selection: {}, signal: trees.signal });
      const { differing, notKept, notGiven } = await compareBeside(reader, directory, {});
      assert.deepEqual([differing.count, notGiven.count], [0, 0]);
      // Of the others, the root and what lies in it, it does not keep the parts of a second.
      const told = [...named, 'usual', ''].map((name) => join(root, name)).map((path) => path.replace(/\/$/, ''));
      assert.deepEqual(notKept.first.map((words) => words.replace(/ differs in .*/, '')).sort(), told.sort());
      const below = join(directory, root);
      await utimes(join(below, 'usual'), 5, 5);
      const changed = (await compareBeside(reader, directory, {})).differing.first;
      assert.deepEqual(changed, [`${join(root, 'usual')} differs in content, time`]);
      // Bytes that are of the right length, under the time that the file system keeps.
      const late = join(below, 'late');
      const { mtimeNs } = await lstat(late, { bigint: true });
      await writeFile(late, 'LATE');
      setTimes(late, { atimeNs: 0n, mtimeNs });
      const other = (await compareBeside(reader, directory, {})).differing.first;
      assert.deepEqual(other, [`${join(root, 'late')} differs in content, time`]);
    } finally {
      reader.close();
    }
  });
});
