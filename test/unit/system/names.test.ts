// Names in open directories: opened without following links, exchanged, and renamed without overwriting.

import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  exchangeNames,
  lookAt,
  mountOf,
  openPartByPart,
  openStraight,
  renameToNew,
} from '../../../src/system/index.ts';

describe('names in directories', () => {
  let base: string;
  let handle: number;

  before(() => {
    base = mkdtempSync(join(tmpdir(), 'holdfast-names-'));
    mkdirSync(join(base, 'sub/deep'), { recursive: true });
    writeFileSync(join(base, 'sub/deep/file'), 'content');
    symlinkSync('sub', join(base, 'to-sub'));
    symlinkSync('sub/deep/file', join(base, 'to-file'));
    symlinkSync('nowhere', join(base, 'dangling'));
    handle = openSync(base, constants.O_RDONLY | constants.O_DIRECTORY);
  });
  after(() => {
    closeSync(handle);
    rmSync(base, { recursive: true, force: true });
  });

  for (const [way, open] of Object.entries({ openStraight, openPartByPart })) {
    it(`are opened without following any link: ${way}`, () => {
      const opened = open(join(base, 'sub/deep//file'), constants.O_RDONLY);
      assert.equal(readFileSync(opened, 'utf8'), 'content');
      closeSync(opened);
      closeSync(open(Buffer.from(join(base, 'sub/deep/')), constants.O_RDONLY | constants.O_DIRECTORY));
      const refused: readonly (readonly [string, string])[] = [
        ['to-sub/deep/file', 'ELOOP'],
        ['to-file', 'ELOOP'],
        ['dangling', 'ELOOP'],
        ['sub/absent', 'ENOENT'],
        ['absent/deep', 'ENOENT'],
        ['sub/deep/file/below', 'ENOTDIR'],
      ];
      for (const [name, code] of refused) {
        assert.throws(() => open(join(base, name), constants.O_RDONLY), { code }, name);
      }
    });
  }

  it('change places, and are renamed only to what is free', () => {
    const at = (name: string) => ({ directory: handle, name });
    writeFileSync(join(base, 'one'), 'one');
    mkdirSync(join(base, 'two'));
    assert.equal(exchangeNames(at('one'), at('two')), true);
    assert.ok(lookAt(at('one'))?.isDirectory());
    assert.equal(readFileSync(join(base, 'two'), 'utf8'), 'one');
    assert.throws(() => exchangeNames(at('one'), at('absent')), { code: 'ENOENT' });
    assert.throws(() => renameToNew(at('two'), at('one')), { code: 'EEXIST' });
    assert.equal(renameToNew(at('two'), at('three \udcff')), true);
    assert.equal(lookAt(at('two')), undefined);
    assert.ok(lookAt(at('three \udcff'))?.isFile());
  });

  it('are known to be on the same mount, or on another', () => {
    const other = openSync('/proc', constants.O_RDONLY);
    const same = openSync(join(base, 'sub'), constants.O_RDONLY);
    assert.equal(mountOf(same), mountOf(handle));
    assert.notEqual(mountOf(other), mountOf(handle));
    closeSync(other);
    closeSync(same);
  });
});
