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

describe('an entry of a tree', () => {
  it('is taken with every field that it may have, and with those of a later writer', () => {
    for (const entry of [file, { ...file, chunks: [] }, { ...file, acl: 'later' }]) {
      assert.deepEqual(parseTreeEntry(JSON.stringify(entry), 'it'), entry);
    }
    const link = { path: 'pg_wal', type: 'symlink', mode: 0o777, mtimeSeconds: -1, sizeBytes: 0, linkTarget: '/wal' };
    assert.deepEqual(parseTreeEntry(JSON.stringify(link), 'it'), link);
  });

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
    const line = Buffer.from(JSON.stringify(file));
    for (let round = 0; round < 5000; round++) {
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
