// How much room what a live restore keeps is taken to need.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeFor, keptBytes, noRoom, requireRoom } from '../../../src/redis/restore/room.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('an RDB of the running server needs about as much of its memory as the snapshot does of its own, and no more than all of it', () => {
  const kept = (sizeBytes: number, then: number | undefined, usedMemoryBytes: number) => {
    const facts = then === undefined ? {} : { usedMemoryBytes: then };
    return keptBytes({ sizeBytes, facts } as never, { usedMemoryBytes });
  };
  assert.equal(kept(400, 1_000, 5_000), 2_000);
  // A nearly empty snapshot says little of a full server.
  assert.equal(kept(1, 1_000_000, 8_000), 1_000);
  assert.equal(kept(3_000, 1_000, 5_000), 5_000);
  assert.equal(kept(400, undefined, 5_000), 5_000);
  assert.equal(kept(0, 0, 5_000), 5_000);
});

test('what does not fit is refused by its place and both numbers', async (t) => {
  const directory = await temporaryDirectory(t);
  const free = await freeFor(`${directory}/not/there/yet`);
  assert.ok(free > 0);
  await requireRoom(directory, 1);
  await assert.rejects(requireRoom(directory, free * 1_000), {
    code: 'NO_SPACE',
    message: /are needed for .* are free/,
  });
  assert.deepEqual(noRoom(directory, { neededBytes: 1, availableBytes: 1 }), []);
});
