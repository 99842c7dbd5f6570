// A repository of many files becomes one pack when there are too many, loses nothing by it, and goes on as it is when that cannot be done.

import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { type Git, initRepository } from '../../../src/configuration/repository/git.ts';
import { keepPacked } from '../../../src/configuration/repository/keep-packed.ts';
import { findProgram } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

async function looseObjects(git: Git, texts: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const input of texts) ids.push(await git.ask(['hash-object', '-w', '--stdin'], { input }));
  return ids;
}

const looseIn = async (git: Git) => Number(/^count: (\d+)$/m.exec(await git.ask(['count-objects', '-v']))?.[1]);

test('single objects become one pack only when there are too many, and nothing is lost that no commit reaches', async (t) => {
  const git = await initRepository(path.join(await temporaryDirectory(t), 'x.git'));
  const [one = '', nobodys = ''] = await looseObjects(git, ['one', 'two']);
  const tree = await git.ask(['mktree'], { input: `100644 blob ${one}\tone\n` });
  await git.ask(['update-ref', 'refs/tags/tree', tree]);
  assert.equal(await keepPacked(git, { mostLoose: 3 }), undefined);
  assert.equal(await looseIn(git), 3);
  for (const left of [1, 0]) {
    assert.equal(await keepPacked(git, { mostLoose: left }), undefined);
    // What nobody refers to is packed once there is a pack.
    assert.equal(await looseIn(git), left);
  }
  assert.deepEqual(
    [await git.ask(['cat-file', 'blob', one]), await git.ask(['cat-file', 'blob', nobodys])],
    ['one', 'two'],
  );
});

test('what fails is told and leaves nothing unfinished; the objects stay as they are', async (t) => {
  const directory = await temporaryDirectory(t);
  const git = await initRepository(path.join(directory, 'x.git'));
  await looseObjects(git, ['one', 'two']);
  const packs = path.join(git.directory, 'objects', 'pack');
  const script = `#!/bin/sh\ncase " $* " in *" repack "*) : > '${packs}/tmp_pack_x'; echo 'No space left on device' >&2; exit 1 ;; esac\nexec '${await findProgram('git')}' "$@"\n`;
  await writeFile(path.join(directory, 'git'), script, { mode: 0o755 });
  const before = process.env.PATH;
  t.after(() => {
    process.env.PATH = before;
  });
  process.env.PATH = `${directory}:${before}`;
  assert.match((await keepPacked(git, { mostLoose: 1 })) ?? '', /No space left on device/);
  process.env.PATH = before;
  assert.deepEqual([await looseIn(git), await readdir(packs)], [2, []]);
});
