// Memory that is given back at once, and memory that others may use.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { letGo } from '../../../src/vault/let-go.ts';

it('gives back a large buffer, and leaves alone what lies in the pool of small ones', () => {
  const large = Buffer.alloc(1024 * 1024, 1);
  const view = large.subarray(10, 20);
  letGo(view);
  assert.deepEqual([large.length, view.length, large.buffer.byteLength], [0, 0, 0]);
  const [small, neighbour] = [Buffer.from('small'), Buffer.from('neighbour')];
  letGo(small);
  assert.deepEqual([small.toString(), neighbour.toString()], ['small', 'neighbour']);
  const received = new ArrayBuffer(1024 * 1024);
  letGo(received);
  assert.equal(received.byteLength, 0);
  letGo(received);
});
