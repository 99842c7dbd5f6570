// Lists of changed blocks as a server sends them: read as they are, refused when they are not what they should be.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readIncrementalFile, wholePath } from '../../../../src/postgres/backup/incremental-file.ts';

const PAGE = 8192;
const MAGIC = 0xd3ae1f0d;

interface Given {
  readonly magic?: number;
  readonly count?: number;
  readonly truncation?: number;
  readonly pages?: number;
}

/** What a server would send of these blocks; each page holds its own number. */
function sent(blocks: readonly number[], { magic = MAGIC, count = blocks.length, truncation = 8, pages }: Given = {}) {
  const listBytes = 12 + 4 * blocks.length;
  const head = Buffer.alloc(blocks.length === 0 ? listBytes : Math.ceil(listBytes / PAGE) * PAGE);
  for (const [index, value] of [magic, count, truncation, ...blocks].entries()) head.writeUInt32LE(value, 4 * index);
  return Buffer.concat([head, ...blocks.slice(0, pages).map((block) => Buffer.alloc(PAGE, block % 251))]);
}

/** As a connection gives them: each is gone when the next one is asked for. */
async function* pieces(bytes: Buffer, size = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) {
    const piece = Buffer.from(bytes.subarray(at, at + size));
    yield piece;
    piece.fill(0xee);
  }
}

async function read(bytes: Buffer, sizeBytes = bytes.length, piece = 1000) {
  const file = await readIncrementalFile('base/5/INCREMENTAL.1', sizeBytes, pieces(bytes, piece), PAGE);
  const pages: Buffer[] = [];
  for await (const page of file.pages()) pages.push(Buffer.from(page));
  return { ...file, pages };
}

const invalid = (why: RegExp) => (error: { code: string; message: string }) => {
  assert.equal(error.code, 'BACKUP_INVALID');
  assert.match(error.message, why);
  return true;
};

describe('a list of changed blocks', () => {
  it('is known by its name, which is that of the whole file otherwise', () => {
    assert.equal(wholePath('base/5/INCREMENTAL.16384.1'), 'base/5/16384.1');
    assert.equal(
      wholePath('pg_tblspc/16385/PG_17_202406281/5/INCREMENTAL.2619'),
      'pg_tblspc/16385/PG_17_202406281/5/2619',
    );
    assert.equal(wholePath('INCREMENTAL.x/16384'), undefined);
    assert.equal(wholePath('base/5/16384'), undefined);
  });

  it('gives its blocks in order, however the stream is cut', async () => {
    for (const piece of [1, 7, 1000, PAGE, 1 << 20]) {
      const { blocks, pages, sizeBytes } = await read(sent([0, 3, 5]), undefined, piece);
      assert.deepEqual([...blocks], [0, 3, 5]);
      assert.deepEqual(
        pages.map((page) => [page.length, page[0], page.at(-1)]),
        [0, 3, 5].map((block) => [PAGE, block, block]),
      );
      assert.equal(sizeBytes, 8 * PAGE);
    }
  });

  it('makes a file that reaches to its highest block, or to where it was truncated', async () => {
    assert.equal((await read(sent([9]))).sizeBytes, 10 * PAGE);
    assert.equal((await read(sent([], { truncation: 3 }))).sizeBytes, 3 * PAGE);
    assert.equal((await read(sent([], { truncation: 0 }))).sizeBytes, 0);
  });

  it('has room for every block of a file, and the padding behind them', async () => {
    const all = Array.from({ length: 3000 }, (_, block) => block);
    assert.equal((await read(sent(all), undefined, 1 << 20)).pages.length, 3000);
  });

  for (const [what, bytes, size, why] of [
    ['with another beginning', sent([1], { magic: 1 }), undefined, /begins with something else/],
    ['of more blocks than a file has', sent([1], { count: 200_000 }), undefined, /more blocks than a file has/],
    ['that truncates beyond a file', sent([1], { truncation: 131_073 }), undefined, /more blocks than a file has/],
    ['of a block beyond a file', sent([131_072]), undefined, /out of order/],
    ['with blocks out of order', sent([5, 3]), undefined, /out of order/],
    ['with a block twice', sent([3, 3]), undefined, /out of order/],
    ['with fewer pages than blocks', sent([1, 2], { pages: 1 }), undefined, /2 blocks do not make/],
    ['with a size that its blocks do not make', sent([1]), 3 * PAGE, /1 blocks do not make/],
    ['that is nothing', Buffer.alloc(0), undefined, /ends too early/],
    ['that ends early', sent([1, 2]).subarray(0, 2 * PAGE), 3 * PAGE, /ends too early/],
    ['that goes on', Buffer.concat([sent([1]), Buffer.alloc(5)]), 2 * PAGE, /ends too early/],
  ] as const) {
    it(`is refused ${what}`, async () => {
      await assert.rejects(read(bytes, size), invalid(why));
    });
  }
});
