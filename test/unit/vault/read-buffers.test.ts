// Memory that goes round between reading and threads: used again where it fits, never while it may be somebody's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadBuffers } from '../../../src/vault/read-buffers.ts';

const MIB = 1024 * 1024;
/** As a thread gives it back: the same memory under another name. */
const roundTrip = (buffer: ArrayBuffer) => structuredClone(buffer, { transfer: [buffer] });

test('what came back is the next one, where it is large enough and not much too large', () => {
  const buffers = new ReadBuffers();
  const first = buffers.take(5 * MIB);
  new Uint8Array(first)[0] = 77;
  buffers.giveBack(roundTrip(first));
  assert.equal(first.byteLength, 0);
  assert.equal(buffers.take(MIB).byteLength, MIB, 'eight times of what is asked for stays');
  assert.ok(buffers.take(9 * MIB).byteLength >= 9 * MIB);
  const again = buffers.take(8 * MIB);
  assert.equal(new Uint8Array(again)[0], 77);
  assert.equal(new Uint8Array(buffers.take(8 * MIB))[0], 0, 'it was taken');
});

test('no more is kept than four packs take, and small ones are not', () => {
  const buffers = new ReadBuffers();
  const taken = Array.from({ length: 5 }, () => buffers.take(30 * MIB));
  for (const [number, each] of taken.entries()) {
    new Uint8Array(each)[0] = number + 1;
    buffers.giveBack(each);
  }
  assert.deepEqual(
    taken.map(({ byteLength }) => byteLength > 0),
    [true, true, true, true, false],
  );
  const small = buffers.take(1000);
  assert.equal(small.byteLength, 1000);
  buffers.giveBack(small);
  assert.notEqual(buffers.take(1000), small);
});

test('what lies in memory of others is copied before it is given away, and what lies alone is not', () => {
  const buffers = new ReadBuffers();
  const lent = buffers.take(2 * MIB);
  assert.equal(buffers.whole(Buffer.from(lent, 0, MIB + 1)), lent);
  const alone = new ArrayBuffer(100);
  assert.equal(buffers.whole(Buffer.from(alone)), alone);
  const shared = Buffer.from(new Uint8Array(100).fill(3).buffer, 10, 50);
  assert.notEqual(buffers.whole(shared), shared.buffer);
  assert.deepEqual(Buffer.from(buffers.whole(shared)), shared);
  assert.notEqual(buffers.whole(Buffer.from(lent, 1, MIB)), lent, 'bytes are expected at the start');
});
