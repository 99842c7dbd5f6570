import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ChunkIndex } from '../../../src/vault/chunk-index.ts';
import { seededBytes } from '../../support/vault.ts';

const record = (number: number) => ({
  pack: number % 7,
  frame: { offset: number, storedLength: number + 1, plainLength: number + 2, codec: number % 3 },
  offset: number + 3,
  length: number + 4,
});

/** The first `shared` bytes of every id are the same: the worst that sorting by a prefix can meet. */
function idsOf(count: number, shared: number): Buffer[] {
  const bytes = seededBytes(`ids ${shared}`, count * 32);
  return Array.from({ length: count }, (_, number) => {
    const id = Buffer.from(bytes.subarray(number * 32, (number + 1) * 32));
    id.fill(7, 0, shared);
    return id;
  });
}

describe('chunk index', () => {
  for (const shared of [0, 6]) {
    it(`finds each of many chunks where it lies, in memory and in runs on disk (${shared} bytes in common)`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'holdfast-index-'));
      const index = new ChunkIndex({ directory, mostInMemory: 1000 });
      try {
        const ids = idsOf(5500, shared);
        for (const [number, id] of ids.entries()) index.add(id, record(number));
        for (const [number, id] of ids.entries()) assert.deepEqual(index.find(id), record(number));
        for (const id of idsOf(6000, shared + 1)) assert.equal(index.find(id), undefined);
        assert.deepEqual(await readdir(directory), [], 'a run has a name that a killed process would leave behind');
      } finally {
        index.close();
        await rm(directory, { recursive: true });
      }
    });
  }

  it('finds nothing in an index that is empty', () => {
    const index = new ChunkIndex();
    assert.equal(index.find(Buffer.alloc(32)), undefined);
    index.close();
  });
});
