// Room is judged on each file system by itself, and by what certainly takes it.

import assert from 'node:assert/strict';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Room } from '../../../src/files/plan/room.ts';

const here = path.join(tmpdir(), 'holdfast-not-there', 'deeper');
/** A file system of its own on which nothing is ever free. */
const full = '/proc';

async function free(): Promise<number> {
  const { bavail, bsize } = await statfs(tmpdir());
  return bavail * bsize;
}

describe('room for files', () => {
  it('is there when each file system has its part, whatever another one has', async () => {
    const room = new Room();
    await room.need(full, 0);
    await room.need(here, 1);
    assert.deepEqual(room.blockers, []);
    const { neededBytes, availableBytes, elsewhere } = room.space;
    assert.deepEqual([neededBytes, availableBytes], [0, 0]);
    assert.deepEqual(
      elsewhere?.map(({ directory, neededBytes }) => [directory, neededBytes]),
      [[here, 1]],
    );
    assert.ok(elsewhere?.[0] && elsewhere[0].availableBytes > 0);
  });

  it('is not there when a later file system has too little', async () => {
    const room = new Room();
    await room.need(here, 1);
    await room.need(full, 4096);
    const [blocker, ...others] = room.blockers;
    assert.deepEqual([blocker?.code, others.length], ['NO_SPACE', 0]);
    assert.equal(blocker?.message, "4.0 KiB are needed for '/proc', 0 B are free");
  });

  it('is needed by all that is on one file system together', async () => {
    const part = Math.ceil((await free()) * 0.9);
    const room = new Room();
    await room.need(here, part);
    await room.need(tmpdir(), part);
    assert.equal(room.space.neededBytes, 2 * part);
    assert.equal(room.space.elsewhere, undefined);
    assert.deepEqual(
      room.blockers.map(({ code }) => code),
      ['NO_SPACE'],
    );
  });

  it('is warned of, and never refused, for files with holes', async () => {
    const room = new Room();
    await room.need(here, 1, (await free()) * 2);
    assert.deepEqual(room.blockers, []);
    assert.match(
      room.warnings.join(),
      /^files with holes are .* long and not counted in what is needed; .* are free for/,
    );
    const roomy = new Room();
    await roomy.need(here, 1, 4096);
    await roomy.need(full, 0);
    assert.deepEqual(roomy.warnings, []);
  });
});
