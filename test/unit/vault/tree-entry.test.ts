import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { parseTreeEntry } from '../../../src/vault/tree-entry.ts';
import { seeded } from '../../support/seeded.ts';

const hash = 'ab'.repeat(32);
const file = {
  path: 'base/1',
  type: 'file',
  mode: 0o600,
  mtimeSeconds: 1,
  mtimeNanos: 999_999_999,
  ctimeNs: '1764054847000000001',
  inode: '18446744073709551615',
  sizeBytes: 3,
  sha256: hash,
  chunking: 'content',
  chunks: [hash],
};

const laid = { ...file, sha256: undefined, chunks: [hash, hash], pieces: [1, 5, 2, 0, 0, 1] };

describe('an entry of a tree', () => {
  it('is taken with every field that it may have, and with those of a later writer', () => {
    for (const entry of [file, { ...file, chunks: [] }, { ...file, acl: 'later' }]) {
      assert.deepEqual(parseTreeEntry(JSON.stringify(entry), 'it'), entry);
    }
    const link = { path: 'pg_wal', type: 'symlink', mode: 0o777, mtimeSeconds: -1, sizeBytes: 0, linkTarget: '/wal' };
    assert.deepEqual(parseTreeEntry(JSON.stringify(link), 'it'), link);
  });

  it('may be made of parts of chunks, and has no hash then', () => {
    const { sha256: _none, ...entry } = laid;
    assert.deepEqual(parseTreeEntry(JSON.stringify(laid), 'it'), entry);
  });

  for (const [what, change] of [
    ['nothing that it is made of', { pieces: [] }],
    ['half a piece', { pieces: [0, 0, 3, 1, 0] }],
    ['a piece of a chunk that it has not', { pieces: [2, 0, 3] }],
    ['a piece of a chunk before the first', { pieces: [-1, 0, 3] }],
    ['a piece before the beginning of its chunk', { pieces: [0, -1, 3] }],
    ['a piece of no length', { pieces: [0, 0, 3, 1, 0, 0] }],
    ['a piece of a negative length', { pieces: [0, 0, 4, 1, 0, -1] }],
    ['pieces that are not as long as it is', { pieces: [0, 0, 4] }],
    ['half a byte of a chunk', { pieces: [0, 0, 1.5, 0, 0, 1.5] }],
    ['a piece longer than any chunk', { pieces: [0, 0, 2 ** 32], sizeBytes: 2 ** 32 }],
    ['a number as text', { pieces: [0, '0', 3] }],
    ['nothing in the place of a number', { pieces: [0, null, 3] }],
    ['pieces that are no list', { pieces: { length: 3, 0: 0, 1: 0, 2: 3 } }],
    ['pieces of no chunks', { pieces: [0, 0, 3], chunks: undefined }],
    ['pieces of a link', { type: 'symlink', linkTarget: '/wal' }],
    ['too many pieces', { pieces: Array(3 * 1024 * 1024 + 3).fill(1), sizeBytes: 1024 * 1024 + 1 }],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const line = JSON.stringify({ ...laid, ...change });
      assert.throws(() => parseTreeEntry(line, 'it'), { code: 'OBJECT_DAMAGED' });
    });
  }

  for (const [what, change] of [
    ['no path', { path: '' }],
    ['a type that nobody knows', { type: 'device' }],
    ['a negative size', { sizeBytes: -1 }],
    ['half a byte', { sizeBytes: 0.5 }],
    ['a size past all numbers', { sizeBytes: 2 ** 60 }],
    ['a time that is none', { mtimeSeconds: '1' }],
    ['more nanoseconds than a second has', { mtimeNanos: 1_000_000_000 }],
    ['a short hash', { sha256: 'ab' }],
    ['a chunk that is no id', { chunks: [hash, hash.toUpperCase()] }],
    ['chunks that are no list', { chunks: hash }],
    ['a way of cutting that nobody knows', { chunking: 'other' }],
    ['an inode that is a number', { inode: 1 }],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const line = JSON.stringify({ ...file, ...change });
      assert.throws(() => parseTreeEntry(line, 'it'), { code: 'OBJECT_DAMAGED' });
    });
  }

  it('ends on every mutation with an entry or an error of the catalogue', () => {
    const random = seeded(4711);
    const lines = [file, laid].map((entry) => Buffer.from(JSON.stringify(entry)));
    for (let round = 0; round < 10_000; round++) {
      const line = lines[round % 4 < 2 ? 0 : 1] as Buffer;
      const mutant = Buffer.from(line.subarray(0, round % 2 === 0 ? line.length : Math.floor(random() * line.length)));
      for (let flips = 0; flips < 3 && mutant.length > 0; flips++) {
        mutant[Math.floor(random() * mutant.length)] = Math.floor(random() * 256);
      }
      try {
        parseTreeEntry(mutant.toString(), 'it');
      } catch (error) {
        assert.ok(isHoldfastError(error, 'OBJECT_DAMAGED'), String(error));
      }
    }
  });
});
