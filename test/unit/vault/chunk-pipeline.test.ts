// The pipeline of chunks when something gives way under it: the snapshot fails, the process lives.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ChunkIndex } from '../../../src/vault/chunk-index.ts';
import { ChunkPipeline, type PipelineParts } from '../../../src/vault/chunk-pipeline.ts';
import { gearTable } from '../../../src/vault/chunker.ts';

const CHUNK_BYTES = 65_536;
const MIB = 1024 * 1024;

function pipelineWith(changes: Partial<PipelineParts>): ChunkPipeline {
  const setup = {
    vaultId: Buffer.alloc(16, 1),
    path: 'database/main/generations/full-20261123T061407Z-00000001',
    dataKey: Buffer.alloc(32, 2),
    chunkIdKey: Buffer.alloc(32, 3),
    gear: gearTable(Buffer.alloc(32, 4)),
    compression: 'zstd',
  } as const;
  const onPack: PipelineParts['onPack'] = async (_pack, settle) => settle(true);
  return new ChunkPipeline({ setup, index: new ChunkIndex(), onPack, onKnown: () => {}, ...changes });
}

/** Gives it random chunks, slab by slab. */
async function feed(pipeline: ChunkPipeline, slabs: number): Promise<void> {
  for (let number = 0; number < slabs; number++) {
    const slab = pipeline.slab();
    randomBytes(8 * CHUNK_BYTES).copy(slab);
    await pipeline.cut(
      slab,
      Array.from({ length: 8 }, () => CHUNK_BYTES),
    );
  }
  await pipeline.finish();
}

describe('chunk pipeline', () => {
  it('hands over everything in packs', async () => {
    let bytes = 0;
    const onPack: PipelineParts['onPack'] = async (pack, settle) => {
      bytes += pack.bytes.length;
      settle(true);
    };
    const pipeline = pipelineWith({ onPack });
    await feed(pipeline, 6);
    await pipeline.end();
    assert.equal(pipeline.newChunks, 48);
    assert.ok(bytes > 48 * CHUNK_BYTES);
  });

  it('fails, and nothing else does, when its index finds no place on disk', async () => {
    const index = new ChunkIndex({ directory: join(process.execPath, 'no-directory'), mostInMemory: 16 });
    const pipeline = pipelineWith({ index });
    await assert.rejects(feed(pipeline, 6), { code: 'ENOTDIR' });
    await pipeline.end();
  });

  it('fails when a pack cannot be stored', async () => {
    const onPack = () => Promise.reject(new Error('the store is gone'));
    const pipeline = pipelineWith({ onPack });
    await assert.rejects(feed(pipeline, 6), /the store is gone/);
    await pipeline.end();
  });

  it('has a fixed number of packs in memory, smaller ones for more workers, however slow the store', async () => {
    const sizes: number[] = [];
    let [underWay, most] = [0, 0];
    const onPack: PipelineParts['onPack'] = async (pack, settle) => {
      sizes.push(pack.bytes.length);
      most = Math.max(most, ++underWay);
      setTimeout(() => {
        underWay--;
        settle(true);
      }, 300);
    };
    const pipeline = pipelineWith({ onPack, workers: 6 });
    await feed(pipeline, 400);
    await pipeline.end();
    const stored = sizes.reduce((sum, size) => sum + size);
    assert.ok(stored > 3200 * CHUNK_BYTES, `${stored} bytes were handed over`);
    assert.ok(most <= 8, `${most} packs were under way`);
    assert.ok(Math.max(...sizes) <= 17 * MIB, `${Math.max(...sizes)} bytes in a pack`);
    assert.ok(sizes.filter((size) => size > 14 * MIB).length >= 6, `packs of ${sizes.join(', ')} bytes`);
  });

  it('goes on when no copy frees the buffers of its packs', async () => {
    const pipeline = pipelineWith({ onPack: async (_pack, settle) => settle(false) });
    await feed(pipeline, 200);
    await pipeline.end();
    assert.equal(pipeline.newChunks, 1600);
  });
});
