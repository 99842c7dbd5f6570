// Local files that are cut into pages: read by the worker threads, cut as a stream would be, every page looked at.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { LocalFile, LocalFileResult, LocalFilesOptions, TreeEntry } from '../../../src/vault/types.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { inPieces, request, seededBytes, TO, testVault } from '../../support/vault.ts';

const PAGE = 8192;
const module = new URL('../../support/odd-pages.ts', import.meta.url).href;
/** Several slices and a rest that is no whole page; one slice exactly; files of a batch. */
const sizes = { large: 9 * 1024 * 1024 + 3000, exact: 8 * 1024 * 1024, small: 200_000, empty: 0 };

/** Every page begins with its own number. */
function numbered(seed: string, sizeBytes: number, firstPage = 0): Buffer {
  const bytes = seededBytes(seed, sizeBytes);
  for (let page = 0; (page + 1) * PAGE <= sizeBytes; page++) bytes.writeUInt32LE(firstPage + page, page * PAGE);
  return bytes;
}

async function bench(t: TestContext) {
  const made = await testVault();
  t.after(() => made[Symbol.asyncDispose]());
  const directory = await temporaryDirectory(t);
  const contents = new Map<string, Buffer>();
  const files: LocalFile[] = [];
  for (const [name, sizeBytes] of Object.entries(sizes)) {
    const firstPage = name === 'small' ? 131_072 : 0;
    const bytes = numbered(name, sizeBytes, firstPage);
    contents.set(name, bytes);
    const source = path.join(directory, name);
    await writeFile(source, bytes);
    files.push({
      entry: { path: name, mode: 0o600, mtimeSeconds: 1, chunking: 'pages' },
      source,
      sizeBytes,
      firstPage,
    });
  }
  const read = async (number: number, options?: LocalFilesOptions) => {
    const results = new Map<string, LocalFileResult>();
    const writer = await made.vault.writeSnapshot(request(number));
    try {
      await writer.addLocalFiles(files, (result) => results.set(result.path, result), options);
      const { statistics } = await writer.commit({ to: TO, state: 'clean', engine: {} });
      return { results, statistics };
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  };
  const entriesOf = async (number: number) => {
    const found = new Map<string, TreeEntry>();
    const reader = await made.vault.openSnapshot(request(number).id);
    for await (const entry of reader.entries()) found.set(entry.path, entry);
    return { found, reader };
  };
  return { vault: made.vault, contents, files, read, entriesOf };
}

function resultOf(results: Map<string, LocalFileResult>, name: string) {
  const result = results.get(name);
  assert.ok(result && !('code' in result), `${name}: ${JSON.stringify(result?.path)}`);
  return result;
}

test('are the same chunks as those of a stream, in the order given, and nothing is stored twice', async (t) => {
  const { vault, contents, files, read, entriesOf } = await bench(t);
  const writer = await vault.writeSnapshot(request(1));
  for (const { entry } of files) await writer.addFile(entry, inPieces(contents.get(entry.path) as Buffer));
  await writer.commit({ to: TO, state: 'clean', engine: {} });
  const { results, statistics } = await read(2);
  const [streamed, local] = [await entriesOf(1), await entriesOf(2)];
  assert.deepEqual([...local.found], [...streamed.found]);
  assert.ok(statistics.newBytes < 30_000, `${statistics.newBytes} bytes are new`);
  for (const [name, bytes] of contents) {
    const { sha256, sizeBytes, badPages } = resultOf(results, name);
    assert.deepEqual([sizeBytes, badPages], [bytes.length, []]);
    assert.equal(sha256, createHash('sha256').update(bytes).digest('hex'));
    const parts: Buffer[] = [];
    for await (const part of local.reader.read(local.found.get(name) as TreeEntry)) parts.push(part);
    assert.ok(Buffer.concat(parts).equals(bytes), name);
  }
});

test('a page that is right when it is read again is not told; one that stays wrong is, by its number in the whole', async (t) => {
  const { contents, files, read } = await bench(t);
  const settings = { pageSizeBytes: PAGE, torn: [3, 600, 131_073] };
  const inspection = { module, settings };
  assert.deepEqual(
    [...(await read(1, { inspection })).results.values()].map((result) => 'code' in result || result.badPages),
    [[], [], [], []],
  );
  for (const [name, page] of [
    ['large', 700],
    ['large', 2],
    ['small', 5],
  ] as const) {
    const bytes = contents.get(name) as Buffer;
    bytes.writeUInt32LE(77, page * PAGE);
    await writeFile(files.find(({ entry }) => entry.path === name)?.source as string, bytes);
  }
  const { results } = await read(2, { inspection });
  assert.deepEqual(resultOf(results, 'large').badPages, [2, 700]);
  assert.deepEqual(resultOf(results, 'small').badPages, [131_077]);
  assert.deepEqual(resultOf(results, 'exact').badPages, []);
});

test('a file that became shorter ends where it ends, one that grew is read as far as it was seen, one that is gone is not in the tree', async (t) => {
  const { contents, files, read, entriesOf } = await bench(t);
  const place = (name: string) => files.find(({ entry }) => entry.path === name)?.source as string;
  await truncate(place('large'), 5 * 1024 * 1024);
  await writeFile(place('small'), Buffer.concat([contents.get('small') as Buffer, Buffer.alloc(PAGE)]));
  files.push({
    ...(files[0] as LocalFile),
    entry: { ...(files[0] as LocalFile).entry, path: 'gone' },
    source: '/nowhere',
  });
  const { results } = await read(1);
  assert.equal(resultOf(results, 'large').sizeBytes, 5 * 1024 * 1024);
  assert.equal(resultOf(results, 'small').sizeBytes, sizes.small);
  assert.deepEqual(results.get('gone'), { path: 'gone', code: 'ENOENT' });
  assert.deepEqual([...(await entriesOf(1)).found.keys()], ['large', 'exact', 'small', 'empty']);
});

test('the pace is asked for every byte before it is read, and what it throws ends the reading', async (t) => {
  const { read } = await bench(t);
  let asked = 0;
  const count = async (bytes: number) => {
    asked += bytes;
  };
  await read(1, { pace: count });
  assert.equal(asked, sizes.large + sizes.exact + sizes.small);
  let calls = 0;
  const pace = async () => {
    if (++calls === 3) throw new Error('enough');
  };
  await assert.rejects(read(2, { pace }), /^Error: enough$/);
  assert.ok(calls < 6, `${calls} calls`);
});

test('a thread whose inspector cannot be loaded fails the snapshot', async (t) => {
  const { read } = await bench(t);
  await assert.rejects(read(1, { inspection: { module: 'file:///nowhere/inspector.ts', settings: {} } }));
});
