// The one bound of memory for all log that a process ships: never exceeded, never refused, and no copy in the way of another.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { LogMemory, type Room } from '../../../src/postgres/receiver/log-memory.ts';
import { seeded } from '../../support/seeded.ts';

const MiB = 1024 ** 2;
const segment = 16 * MiB;
const { signal } = new AbortController();

/** Whether it has come by now. */
async function isThere(room: Promise<Room>): Promise<boolean> {
  let there = false;
  void room.then(() => {
    there = true;
  });
  await turn();
  return there;
}

test('whoever needs more than there is waits for its turn, and what nobody waits for yet is not begun meanwhile', async () => {
  const memory = new LogMemory(1, 4 * segment);
  const first = await memory.take('eu', segment, signal);
  const second = memory.tryTake('eu', segment);
  assert.ok(second !== undefined);
  assert.equal(memory.usedBytes, 4 * segment, 'plain and sealed');
  assert.equal(memory.tryTake('eu', segment), undefined);
  const third = memory.take('eu', segment, signal);
  const small = memory.take('eu', 1 * MiB, signal);
  // Sealed they are a quarter: there is room for the small one, but it has not come first.
  first.settle(segment / 4);
  second.settle(segment / 4);
  assert.deepEqual([await isThere(third), await isThere(small)], [false, false]);
  first.release(true);
  first.release(true);
  assert.deepEqual([await isThere(third), await isThere(small)], [true, true]);
  second.release(true);
  (await third).release(false);
  (await small).release(false);
  assert.equal(memory.usedBytes, 0);
});

test('a store that hangs keeps its own part, and a copy that is well goes on', async () => {
  const memory = new LogMemory(2, 8 * segment);
  for (let held = 0; held < 2; held += 1) await memory.take('hanging', segment, signal);
  const waits = memory.take('hanging', segment, signal);
  assert.equal(await isThere(waits), false);
  for (let turns = 0; turns < 3; turns += 1) {
    const room = await memory.take('well', segment, signal);
    const ahead = memory.tryTake('well', segment);
    assert.ok(ahead !== undefined);
    room.release(true);
    ahead.release(true);
  }
  assert.equal(await isThere(waits), false);
});

test('a piece that is larger than the part of its copy goes alone, and small ones are not counted', async () => {
  const memory = new LogMemory(4, 4 * MiB);
  const large = await memory.take('eu', segment, signal);
  assert.equal(large.buffer(segment).length, segment);
  assert.equal(memory.tryTake('eu', MiB), undefined);
  const small = await memory.take('eu', 64 * 1024, signal);
  assert.equal(small.buffer(100).length, 100);
  large.release(true);
  assert.equal(memory.usedBytes, 0);
});

test('whoever stops waiting is no longer in front of others, and keeps nothing', async () => {
  const memory = new LogMemory(1, 2 * segment);
  const held = await memory.take('eu', segment, signal);
  const stop = new AbortController();
  const gone = memory.take('eu', segment, stop.signal);
  const next = memory.take('eu', segment, signal);
  stop.abort();
  await assert.rejects(gone, { code: 'CANCELLED' });
  await assert.rejects(memory.take('eu', segment, stop.signal), { code: 'CANCELLED' });
  held.release(true);
  (await next).release(true);
  assert.equal(memory.usedBytes, 0);
});

test('memory is used again while somebody is at work, and given up when nobody is', async () => {
  const memory = new LogMemory(1, 4 * segment);
  const room = await memory.take('eu', segment, signal);
  const { buffer } = room.buffer(segment);
  const other = await memory.take('eu', segment, signal);
  room.release(true);
  memory.rest();
  const again = await memory.take('eu', segment, signal);
  assert.equal(again.buffer(segment).buffer, buffer);
  again.release(true);
  other.release(true);
  memory.rest();
  const later = await memory.take('eu', segment, signal);
  assert.notEqual(later.buffer(segment).buffer, buffer);
  // What a call that failed may still read is nobody else's.
  const kept = later.buffer(segment).buffer;
  later.release(false);
  assert.notEqual((await memory.take('eu', segment, signal)).buffer(segment).buffer, kept);
});

test('thirty-six shippers of all sizes never take more than the bound together, and each gets what it waits for', async () => {
  const limit = 16 * segment;
  const memory = new LogMemory(3, limit);
  const random = seeded(17);
  let highest = 0;
  let done = 0;
  const ship = async (copy: string) => {
    for (let piece = 0; piece < 20; piece += 1) {
      const length = Math.max(1, Math.floor(random() * segment));
      const rooms = [await memory.take(copy, length, signal), memory.tryTake(copy, segment)];
      highest = Math.max(highest, memory.usedBytes);
      await turn();
      for (const room of rooms) room?.settle(Math.floor(random() * length));
      await turn();
      for (const room of rooms) room?.release(random() < 0.5);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: 36 }, (_, number) => ship(['local', 'eu', 'us'][number % 3] as string)));
  assert.equal(done, 36 * 20);
  assert.ok(highest <= limit && highest > limit / 2, String(highest));
  assert.equal(memory.usedBytes, 0);
});
