import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coverage } from '../../../src/domain/log-coverage.ts';
import { lsnFrom } from '../../../src/domain/lsn.ts';

const MiB = 1024 * 1024;
const at = (mib: number) => lsnFrom(BigInt(Math.round(mib * MiB)));
const piece = (from: number, to: number, timeline = 1) => ({ timeline, fromLsn: at(from), toLsn: at(to) });
const range = (from: number, to: number) => ({ fromLsn: at(from), toLsn: at(to) });

test('segments and extents that touch are one range, in whatever order they are listed', () => {
  assert.deepEqual(coverage([piece(32, 33), piece(16, 32), piece(33, 33.5), piece(0, 16)]), [
    { timeline: 1, ranges: [range(0, 33.5)], holes: [] },
  ]);
});

test('a segment that is missing exactly between two others is a hole from boundary to boundary', () => {
  assert.deepEqual(coverage([piece(0, 16), piece(32, 48)]), [
    { timeline: 1, ranges: [range(0, 16), range(32, 48)], holes: [range(16, 32)] },
  ]);
});

test('an extent that ends one byte before the boundary leaves a hole of one byte', () => {
  const almost = { timeline: 1, fromLsn: at(0), toLsn: lsnFrom(BigInt(16 * MiB - 1)) };
  assert.deepEqual(coverage([almost, piece(16, 32)])[0]?.holes, [{ fromLsn: almost.toLsn, toLsn: at(16) }]);
});

test('a closed segment over its extents, and extents that overlap, count once', () => {
  assert.deepEqual(coverage([piece(0, 3), piece(2, 5), piece(0, 16), piece(4, 5)])[0]?.ranges, [range(0, 16)]);
});

test('timelines are counted apart, and positions beyond 4 GiB keep their order', () => {
  assert.deepEqual(coverage([piece(4090, 4106), piece(4096, 5000, 2), piece(4106, 4112)]), [
    { timeline: 1, ranges: [range(4090, 4112)], holes: [] },
    { timeline: 2, ranges: [range(4096, 5000)], holes: [] },
  ]);
});

test('nothing covers nothing', () => {
  assert.deepEqual(coverage([]), []);
  assert.deepEqual(coverage([piece(5, 5)]), [{ timeline: 1, ranges: [], holes: [] }]);
});
