// Calls of the kernel: what they do, and that what goes wrong is told as Node tells it.

import assert from 'node:assert/strict';
import { closeSync, constants, lstatSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  getAttribute,
  listAttributes,
  openStraight,
  readAttributes,
  setAttributes,
  setTimes,
  syncFileSystemOf,
} from '../../../src/system/index.ts';

describe('calls of the kernel', () => {
  let base: string;
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'holdfast-system-'));
  });
  after(() => rmSync(base, { recursive: true, force: true }));
  const file = (name: string) => {
    writeFileSync(join(base, name), name);
    return join(base, name);
  };

  it('set times to the nanosecond, of a link itself too, and before 1970', () => {
    const target = file('target');
    symlinkSync('target', join(base, 'link'));
    for (const [place, mtimeNs] of [
      [target, 1_700_000_000_123_456_789n],
      [join(base, 'link'), -1n],
    ] as const) {
      setTimes(place, { atimeNs: 0n, mtimeNs });
      assert.equal(lstatSync(place, { bigint: true }).mtimeNs, mtimeNs);
    }
    const handle = openSync(target, 'r+');
    setTimes(handle, { atimeNs: 0n, mtimeNs: 7n });
    closeSync(handle);
    assert.equal(lstatSync(target, { bigint: true }).mtimeNs, 7n);
  });

  it('give attributes exactly: what is wanted is there, what is not wanted goes', () => {
    const place = file('attributes');
    const attempt = (_: string, act: () => void) => act();
    const large = Buffer.alloc(3000, 7).toString('base64');
    setAttributes(place, { 'user.one': 'AQI=', 'user.large': large }, attempt);
    assert.deepEqual(readAttributes(place), { 'user.one': 'AQI=', 'user.large': large });
    setAttributes(place, { 'user.two': '' }, attempt);
    assert.deepEqual(listAttributes(place), ['user.two']);
    assert.equal(getAttribute(place, 'user.one'), undefined);
  });

  it('tell what goes wrong by the code of the system', async () => {
    const missing = join(base, 'missing');
    assert.throws(() => setTimes(missing, { atimeNs: 0n, mtimeNs: 0n }), { code: 'ENOENT', syscall: 'utimensat' });
    assert.throws(() => listAttributes(missing), { code: 'ENOENT' });
    await assert.rejects(syncFileSystemOf(-1), { code: 'EBADF', syscall: 'syncfs' });
  });

  it('open what is on no link, and nothing else', () => {
    const place = file('straight');
    closeSync(openStraight(place, constants.O_RDONLY));
    symlinkSync(base, join(base, 'by'));
    assert.throws(() => openStraight(join(base, 'by', 'straight'), constants.O_RDONLY), { code: 'ELOOP' });
    assert.throws(() => openStraight(join(base, 'none'), constants.O_RDONLY), { code: 'ENOENT' });
  });

  it('sync a whole file system', async () => {
    const handle = openSync(base, 'r');
    await syncFileSystemOf(handle);
    closeSync(handle);
  });
});
