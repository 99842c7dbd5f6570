// Segments that are sealed in front of the one that is stored: in order, as far as they are whole and there is memory, and no failure of one hidden.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Stretch } from '../../../src/postgres/receiver/route.ts';
import { SegmentsAhead } from '../../../src/postgres/receiver/segments-ahead.ts';

const stretch: Stretch = { timeline: 1, from: 0n };

function ahead(whole: bigint, { wrong, memory = 9 }: { wrong?: bigint; memory?: number } = {}) {
  const begun: bigint[] = [];
  const dropped: bigint[] = [];
  let left = memory;
  const seal = async (_stretch: Stretch, from: bigint) => {
    begun.push(from);
    if (from === wrong) throw new Error(`not ${from}`);
    return from;
  };
  const segments = new SegmentsAhead<bigint>({
    segmentSizeBytes: 16,
    most: 2,
    seal,
    sealAhead: (at, from) => (left-- > 0 ? seal(at, from) : undefined),
    isWhole: (_stretch, from) => from + 16n <= whole,
    drop: (piece) => dropped.push(piece),
  });
  return { begun, dropped, segments };
}

test('are each sealed once, two in front at the most, and none that is not whole', async () => {
  const { begun, segments } = ahead(64n);
  for (const from of [0n, 16n, 32n, 48n]) {
    assert.equal(await segments.take(stretch, from), from);
    assert.deepEqual(begun, [0n, 16n, 32n, 48n].slice(0, Number(from / 16n) + 3));
  }
});

test('are sealed anew for another stretch, and after whatever went wrong; what was sealed for nothing is given back', async () => {
  const { begun, dropped, segments } = ahead(48n);
  await segments.take(stretch, 0n);
  await segments.take({ timeline: 2, from: 0n }, 16n);
  assert.deepEqual(begun, [0n, 16n, 32n, 16n, 32n]);
  segments.clear();
  await segments.take({ timeline: 2, from: 0n }, 32n);
  assert.deepEqual(begun.slice(5), [32n]);
  await turn();
  assert.deepEqual(dropped, [16n, 32n, 32n]);
});

test('fail when they are taken, not before, and can be taken again', async () => {
  const { begun, dropped, segments } = ahead(32n, { wrong: 16n });
  await segments.take(stretch, 0n);
  await assert.rejects(segments.take(stretch, 16n), /not 16/);
  await assert.rejects(segments.take(stretch, 16n), /not 16/);
  assert.deepEqual(begun, [0n, 16n, 16n]);
  assert.deepEqual(dropped, []);
});

test('are not sealed in front while there is no memory, and what is wanted is sealed all the same', async () => {
  const { begun, segments } = ahead(80n, { memory: 1 });
  await segments.take(stretch, 0n);
  assert.deepEqual(begun, [0n, 16n]);
  for (const from of [16n, 32n, 48n]) assert.equal(await segments.take(stretch, from), from);
  assert.deepEqual(begun, [0n, 16n, 32n, 48n]);
});
