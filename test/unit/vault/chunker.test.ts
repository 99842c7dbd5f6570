import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cutter, gearTable } from '../../../src/vault/chunker.ts';
import type { Chunking } from '../../../src/vault/types.ts';
import { seededBytes } from '../../support/vault.ts';

const gear = gearTable(Buffer.alloc(32, 1));

/** Ends of the chunks of `bytes`, given in pieces of `piece` bytes. */
function endsOf(bytes: Buffer, chunking: Chunking, piece: number): number[] {
  const cutter = new Cutter(chunking, gear);
  const ends: number[] = [];
  for (let from = 0; from < bytes.length; from += piece) {
    const to = Math.min(bytes.length, from + piece);
    for (let at = from; ; ) {
      const end = cutter.next(bytes, at, to);
      if (end === undefined) break;
      ends.push(end);
      at = end;
    }
  }
  return ends.at(-1) === bytes.length ? ends : [...ends, bytes.length];
}

describe('chunker', () => {
  const bytes = seededBytes('chunker', 3_000_000);

  it('cuts at the same places however the bytes arrive', () => {
    for (const chunking of ['content', 'pages'] as const) {
      const whole = endsOf(bytes, chunking, bytes.length);
      for (const piece of [1, 1000, 16_384, 65_536, 65_537, 262_144, 1_000_000]) {
        assert.deepEqual(endsOf(bytes, chunking, piece), whole, `${chunking} in pieces of ${piece}`);
      }
    }
  });

  it('keeps the sizes of the format, whatever the bytes are', () => {
    for (const data of [bytes, Buffer.alloc(3_000_000), Buffer.alloc(3_000_000, 'abc')]) {
      const ends = endsOf(data, 'content', 100_000);
      const sizes = ends.map((end, number) => end - (ends[number - 1] ?? 0));
      for (const size of sizes.slice(0, -1)) assert.ok(size > 16_384 && size <= 262_144, `a chunk of ${size} bytes`);
      assert.equal(
        sizes.reduce((sum, size) => sum + size, 0),
        data.length,
      );
    }
    assert.ok(
      endsOf(bytes, 'pages', 8192)
        .slice(0, -1)
        .every((end) => end % 65_536 === 0),
    );
  });

  it('finds its cuts again behind bytes that were inserted', () => {
    const before = new Set(endsOf(bytes, 'content', bytes.length));
    const inserted = Buffer.concat([seededBytes('inserted', 12_345), bytes]);
    const after = endsOf(inserted, 'content', inserted.length).map((end) => end - 12_345);
    const same = after.filter((end) => before.has(end));
    assert.ok(same.length >= before.size - 3, `${same.length} of ${before.size} cuts`);
  });
});
