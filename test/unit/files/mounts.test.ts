// Which paths are on other mounts, by the text that the system keeps of them.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Mounts, mountPointsBelow } from '../../../src/files/in-place/mounts.ts';

const TEXT = [
  '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
  '30 22 0:25 / /srv rw - tmpfs tmpfs rw',
  '31 30 0:26 / /srv/a\\040b rw - tmpfs tmpfs rw',
  '32 30 254:0 /etc/hosts /srv/in/hosts rw - ext4 /dev/vda rw',
  '33 30 0:27 / /srv/back\\134slash\\012 rw - tmpfs tmpfs rw',
  `34 30 0:28 / /srv/${Buffer.from('ü\xff', 'latin1').toString('latin1')} rw - tmpfs tmpfs rw`,
  '35 22 0:29 / /srvother rw - tmpfs tmpfs rw',
  '',
].join('\n');

describe('mounts below a root', () => {
  it('are found by their paths, whatever is in those, and the root itself is none', () => {
    assert.deepEqual(mountPointsBelow(TEXT, '/srv'), ['a b', 'in/hosts', 'back\\slash\n', '\udcfc\udcff']);
    assert.deepEqual(mountPointsBelow(TEXT, '/srv/in'), ['hosts']);
    assert.deepEqual(mountPointsBelow(TEXT, '/elsewhere'), []);
    assert.equal(mountPointsBelow(TEXT, '/').length, 6);
  });

  it('are around what is in them, and within what they are in', () => {
    const mounts = new Mounts(mountPointsBelow(TEXT, '/srv'));
    assert.equal(mounts.around('a b'), 'a b');
    assert.equal(mounts.around('a b/deep/file'), 'a b');
    assert.equal(mounts.around('a'), undefined);
    assert.equal(mounts.around('in'), undefined);
    assert.equal(mounts.within('in'), 'in/hosts');
    assert.equal(mounts.within('i'), undefined);
  });
});
