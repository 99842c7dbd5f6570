// The claim on a quickstart's directory: given back whatever has become of the directory, and had where it vanishes once.

import assert from 'node:assert/strict';
import { access, link, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { isHoldfastError } from '../../../../src/errors/index.ts';
import { isLockHeld } from '../../../../src/process/index.ts';
import { claimDirectory } from '../../../../src/sandbox/quickstart/claim.ts';
import { onceLocked } from '../../../support/once-locked.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';

const claim = async (home: string) => await claimDirectory(home, path.join(home, 'sandbox'));

test('a directory that was claimed is refused to others, and gone when it is left', async (t) => {
  const home = path.join(await temporaryDirectory(t), 'home');
  const { leave } = await claim(home);
  t.after(leave);
  await assert.rejects(claim(home), (error) => isHoldfastError(error, 'LOCKED'));
  await leave();
  await assert.rejects(access(home), { code: 'ENOENT' });
});

test('a claim is given back, too, when its directory was removed meanwhile', async (t) => {
  const home = path.join(await temporaryDirectory(t), 'home');
  const { leave } = await claim(home);
  const other = `${home}-other-name`;
  await mkdir(other);
  await link(path.join(home, 'quickstart.lock'), path.join(other, 'lock'));
  await rm(home, { recursive: true });
  await leave();
  assert.equal(await isLockHeld(path.join(other, 'lock')), false);
  await assert.rejects(access(home), { code: 'ENOENT' });
});

test('a claim is given back, too, when its directory cannot be read', async (t) => {
  const home = path.join(await temporaryDirectory(t), 'home');
  const { leave } = await claim(home);
  const moved = `${home}-moved`;
  await rename(home, moved);
  await writeFile(home, 'a file');
  await assert.rejects(leave(), { code: 'ENOTDIR' });
  assert.equal(await isLockHeld(path.join(moved, 'quickstart.lock')), false);
});

test('a directory that one who left it takes away under our hands is made again', async (t) => {
  const home = path.join(await temporaryDirectory(t), 'home');
  await onceLocked(t, 'rm -r "$1"', home);
  const { leave } = await claim(home);
  t.after(leave);
  assert.deepEqual(await readdir(home), ['quickstart.lock']);
  assert.equal(await isLockHeld(path.join(home, 'quickstart.lock')), true);
});
