// Segments that are sealed in front of the one that is stored: in order, as far as they are whole, and no failure of one hidden.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stretch } from '../../../src/postgres/receiver/route.ts';
import { SegmentsAhead } from '../../../src/postgres/receiver/segments-ahead.ts';
import type { SealedLog } from '../../../src/vault/types.ts';

const stretch: Stretch = { timeline: 1, from: 0n };

function ahead(whole: bigint, wrong?: bigint) {
  const begun: bigint[] = [];
  const segments = new SegmentsAhead({
    segmentSizeBytes: 16,
    most: 2,
    seal: async (_stretch, from) => {
      begun.push(from);
      if (from === wrong) throw new Error(`not ${from}`);
      return { header: { fromLsn: from } } as unknown as SealedLog;
    },
    isWhole: (_stretch, from) => from + 16n <= whole,
  });
  return { begun, segments };
}

test('are each sealed once, two in front at the most, and none that is not whole', async () => {
  const { begun, segments } = ahead(64n);
  for (const from of [0n, 16n, 32n, 48n]) {
    assert.equal((await segments.take(stretch, from)).header.fromLsn as unknown, from);
    assert.deepEqual(begun, [0n, 16n, 32n, 48n].slice(0, Number(from / 16n) + 3));
  }
});

test('are sealed anew for another stretch, and after whatever went wrong', async () => {
  const { begun, segments } = ahead(48n);
  await segments.take(stretch, 0n);
  await segments.take({ timeline: 2, from: 0n }, 16n);
  assert.deepEqual(begun, [0n, 16n, 32n, 16n, 32n]);
  segments.clear();
  await segments.take({ timeline: 2, from: 0n }, 32n);
  assert.deepEqual(begun.slice(5), [32n]);
});

test('fail when they are taken, not before, and can be taken again', async () => {
  const { begun, segments } = ahead(32n, 16n);
  await segments.take(stretch, 0n);
  await assert.rejects(segments.take(stretch, 16n), /not 16/);
  await assert.rejects(segments.take(stretch, 16n), /not 16/);
  assert.deepEqual(begun, [0n, 16n, 16n]);
});
