import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { ChunkIds } from '../../../src/vault/chunk-id.ts';
import { compressSync, decompressSync } from '../../../src/vault/codec.ts';
import { chunkOf, HEAD_BYTES, openFrame, PackBuilder, packKey, readPackIndex } from '../../../src/vault/pack.ts';
import { eachChunk, framesOf, PackIndexBuilder } from '../../../src/vault/pack-index.ts';
import { seeded } from '../../support/seeded.ts';
import { seededBytes } from '../../support/vault.ts';

const context = {
  vaultId: Buffer.alloc(16, 1),
  path: 'database/main/generations/full-20261123T061407Z-00000001',
  dataKey: Buffer.alloc(32, 2),
  chunkIds: new ChunkIds(Buffer.alloc(32, 3)),
};
const TAG_BYTES = 16;

function build(frames: readonly (readonly Buffer[])[]) {
  const builder = new PackBuilder(context);
  for (const chunks of frames) {
    const plain = Buffer.concat(chunks);
    const { codec, bytes } = compressSync(plain, 'zstd');
    const ids = Buffer.concat(chunks.map((chunk) => context.chunkIds.of(chunk)));
    builder.add(
      codec,
      bytes,
      plain.length,
      ids,
      chunks.map((chunk) => chunk.length),
    );
  }
  return builder.finish();
}

const frames = [
  [Buffer.from('a'), Buffer.alloc(70_000, 'text '), seededBytes('c', 5000)],
  [seededBytes('d', 100_000)],
  [Buffer.alloc(16_000, 'e'), Buffer.from('f')],
];

describe('pack', () => {
  it('gives a chunk the id that the format says: HMAC-SHA-256 of the SHA-256 of its bytes', () => {
    for (const plain of [Buffer.alloc(0), Buffer.from('x'), seededBytes('id', 100_000)]) {
      const expected = createHmac('sha256', Buffer.alloc(32, 3)).update(createHash('sha256').update(plain).digest());
      assert.deepEqual(context.chunkIds.of(plain), expected.digest());
    }
  });

  it('is found again chunk by chunk from its own index', async () => {
    const { bytes, index, sha256 } = build(frames);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
    const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
    const own = await readPackIndex(context, bytes.length, read, 'the pack');
    assert.deepEqual(own, index);
    const key = packKey(context, bytes.subarray(0, HEAD_BYTES), 'the pack');
    const found: Buffer[] = [];
    const places: { id: Buffer; place: Parameters<Parameters<typeof eachChunk>[2]>[1] }[] = [];
    eachChunk(own, 'the pack', (id, place) => places.push({ id: Buffer.from(id), place }));
    for (const { id, place } of places) {
      const { offset, storedLength } = place.frame;
      const sealed = bytes.subarray(offset, offset + storedLength + TAG_BYTES);
      const frame = await openFrame(context, key, place.frame, sealed, 'the pack');
      found.push(chunkOf(context, frame, id, place, 'the pack'));
    }
    assert.deepEqual(found, frames.flat());
  });

  it('opens no frame at the place of another, of another length, or in another generation', async () => {
    const { bytes, index } = build(frames);
    const key = packKey(context, bytes.subarray(0, HEAD_BYTES), 'the pack');
    const [a, b] = [...framesOf(index, 'the pack')];
    assert.ok(a && b);
    const sealed = bytes.subarray(a.place.offset, a.place.offset + a.place.storedLength + TAG_BYTES);
    const damaged = { code: 'OBJECT_DAMAGED' };
    await assert.rejects(openFrame(context, key, { ...a.place, offset: b.place.offset }, sealed, 'it'), damaged);
    await assert.rejects(openFrame(context, key, { ...a.place, plainLength: 1 }, sealed, 'it'), damaged);
    await assert.rejects(openFrame({ ...context, path: 'other' }, key, a.place, sealed, 'it'), damaged);
    await openFrame(context, key, a.place, sealed, 'it');
  });

  it('refuses an index with frames that overlap, without chunks, or whose lengths do not add up', () => {
    const id = Buffer.alloc(32, 5);
    const one = (
      place: { offset: number; storedLength: number; plainLength: number; codec: number },
      lengths: number[],
    ) => {
      const builder = new PackIndexBuilder();
      builder.add({ offset: 40, storedLength: 10, plainLength: 4, codec: 0 }, id, [4]);
      builder.add(place, Buffer.alloc(32 * lengths.length), lengths);
      return [...framesOf(builder.bytes, 'it')];
    };
    const good = { offset: 60, storedLength: 10, plainLength: 4, codec: 0 };
    assert.equal(one(good, [1, 3]).length, 2);
    const damaged = { code: 'OBJECT_DAMAGED' };
    assert.throws(() => one({ ...good, offset: 49 }, [4]), damaged);
    assert.throws(() => one(good, []), damaged);
    assert.throws(() => one(good, [4, 0]), damaged);
    assert.throws(() => one(good, [5]), damaged);
    assert.throws(() => one({ ...good, plainLength: 2 ** 31 }, [2 ** 31]), damaged);
  });

  it('ends on every mutation of an index with an answer or an error of the catalogue', () => {
    const { index } = build(frames);
    const next = seeded(4711);
    const below = (limit: number) => Math.floor(next() * limit);
    for (let round = 0; round < 5000; round++) {
      const mutant = Buffer.from(index.subarray(0, round % 3 === 0 ? below(index.length + 1) : index.length));
      for (let flips = 0; flips < 3 && mutant.length > 0; flips++) mutant[below(mutant.length)] = below(256);
      try {
        eachChunk(mutant, 'the pack', () => {});
      } catch (error) {
        assert.ok(isHoldfastError(error, 'OBJECT_DAMAGED'), String(error));
      }
    }
  });

  it('compresses as asked and refuses what does not come out at its length', () => {
    const plain = Buffer.alloc(100_000, 'holdfast ');
    for (const [compression, codec] of [
      ['zstd', 1],
      ['gzip', 2],
      ['none', 0],
    ] as const) {
      const made = compressSync(plain, compression);
      assert.equal(made.codec, codec);
      const bytes = Buffer.from(made.bytes);
      assert.deepEqual(decompressSync(made.codec, bytes, plain.length, 'it'), plain);
      assert.throws(() => decompressSync(made.codec, bytes, plain.length - 1, 'it'), { code: 'OBJECT_DAMAGED' });
      assert.throws(() => decompressSync(made.codec, bytes, plain.length + 1, 'it'), { code: 'OBJECT_DAMAGED' });
    }
    assert.throws(() => decompressSync(9, plain, plain.length, 'it'), { code: 'VAULT_FORMAT' });
  });
});
