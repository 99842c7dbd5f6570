// The directory of one piece of work: gone with it, and with the next one when it was killed.

import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { holdLock, inOwnDirectory } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const signal = new AbortController().signal;
const isThere = async (place: string) =>
  await access(place).then(
    () => true,
    () => false,
  );

test('what was killed is removed; what is in use, or being made, or somewhere else, is not', async (t) => {
  const parent = path.join(await temporaryDirectory(t), 'parent');
  await mkdir(parent);
  const own = { parent, prefix: 'work-', signal };
  const old = new Date(Date.now() - 3_600_000);
  const made = async (name: string, withLock = true) => {
    const directory = await mkdtemp(path.join(parent, name));
    await writeFile(path.join(directory, 'text'), 'x');
    if (withLock) await writeFile(path.join(directory, 'lock'), '');
    return directory;
  };
  const [killed, early] = [await made('work-a-'), await made('work-b-', false)];
  const [used, young, others] = [await made('work-c-'), await made('work-d-', false), await made('other-')];
  const held = await holdLock(path.join(used, 'lock'));
  t.after(() => held.release());
  const elsewhere = path.join(parent, 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(path.join(elsewhere, 'lock'), '');
  for (const directory of [killed, early, used, others, elsewhere]) await utimes(directory, old, old);
  await symlink(elsewhere, path.join(parent, 'work-link'));
  let mine = '';
  const worked = await inOwnDirectory(own, async (directory) => {
    mine = directory;
    await writeFile(path.join(directory, 'text'), 'x');
    assert.equal(path.dirname(directory), parent);
    return 7;
  });
  assert.equal(worked, 7);
  const left = { killed, early, used, young, others, elsewhere, mine };
  const found = await Promise.all(
    Object.entries(left).map(async ([name, place]) => [name, await isThere(place)] as const),
  );
  const isLeft = { killed: false, early: false, used: true, young: true, others: true, elsewhere: true, mine: false };
  assert.deepEqual(Object.fromEntries(found), isLeft);
  const failed = inOwnDirectory({ ...own, parent: path.join(parent, 'not', 'there') }, async (directory) => {
    mine = directory;
    throw new Error('it fails');
  });
  await assert.rejects(failed, /it fails/);
  assert.equal(await isThere(mine), false);
});
