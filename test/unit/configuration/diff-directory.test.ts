// The directory of a comparison: gone with it, and with the next one when it was killed.

import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, symlink, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { inDiffDirectory } from '../../../src/configuration/diff-directory.ts';
import { holdLock } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const signal = new AbortController().signal;
const isThere = async (place: string) =>
  await access(place).then(
    () => true,
    () => false,
  );

test('what was killed is removed; what is in use, or being made, or somewhere else, is not', async (t) => {
  const before = process.env.TMPDIR;
  const base = await temporaryDirectory(t);
  process.env.TMPDIR = base;
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  const old = new Date(Date.now() - 3_600_000);
  const made = async (name: string, withLock = true) => {
    const directory = await mkdtemp(path.join(base, `holdfast-diff-${name}-`));
    await writeFile(path.join(directory, 'text'), 'x');
    if (withLock) await writeFile(path.join(directory, 'lock'), '');
    return directory;
  };
  const [killed, used, young, unlocked] = [await made('a'), await made('b'), await made('c'), await made('d', false)];
  const held = await holdLock(path.join(used, 'lock'));
  t.after(() => held.release());
  for (const directory of [killed, used]) await utimes(path.join(directory, 'lock'), old, old);
  const elsewhere = path.join(base, 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(path.join(elsewhere, 'lock'), '');
  await utimes(path.join(elsewhere, 'lock'), old, old);
  await symlink(elsewhere, path.join(base, 'holdfast-diff-link'));
  let mine = '';
  const worked = await inDiffDirectory(signal, async (directory) => {
    mine = directory;
    await writeFile(path.join(directory, 'text'), 'x');
    assert.ok(path.dirname(directory) === base && os.tmpdir() === base);
    return 7;
  });
  assert.equal(worked, 7);
  const left = { killed, used, young, unlocked, elsewhere, mine };
  const found = await Promise.all(
    Object.entries(left).map(async ([name, place]) => [name, await isThere(place)] as const),
  );
  const isLeft = { killed: false, used: true, young: true, unlocked: true, elsewhere: true, mine: false };
  assert.deepEqual(Object.fromEntries(found), isLeft);
  await assert.rejects(
    inDiffDirectory(signal, async (directory) => {
      mine = directory;
      throw new Error('it fails');
    }),
    /it fails/,
  );
  assert.equal(await isThere(mine), false);
});
