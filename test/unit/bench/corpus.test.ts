// The corpus: the same for the same seed everywhere, as large and as compressible as it says, and put back after its changes.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { content, contentKinds } from '../../../bench/corpus/content.ts';
import { planCorpus } from '../../../bench/corpus/plan.ts';
import { changeCorpus, changedFiles, revertCorpus, writeCorpus } from '../../../bench/corpus/write.ts';
import { requireSameTree, sizeOfTree } from '../../../bench/lib/trees.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const SCALE = 0.002;
const refused = { code: 'CHECK_FAILED' };

describe('the plan of a corpus', () => {
  test('has as many files and bytes as its scale says', () => {
    const plan = planCorpus('1', 0.1);
    assert.equal(plan.files.length, 4000);
    assert.equal(new Set(plan.files.map((file) => file.path)).size, 4000);
    assert.ok(Math.abs(plan.sizeBytes / 200_000_000 - 1) < 0.03, `${plan.sizeBytes} bytes`);
    assert.equal(Math.max(...plan.files.map((file) => file.sizeBytes)), 10_000_000);
  });

  test('has mostly small files, some large ones, and some twice', () => {
    const { files } = planCorpus('1', 0.1);
    const sizes = files.map((file) => file.sizeBytes).sort((a, b) => a - b);
    const median = sizes[sizes.length / 2] as number;
    assert.ok(median > 4000 && median < 20_000, `a median of ${median} bytes`);
    assert.ok(sizes.filter((size) => size > 1_000_000).length >= 10);
    const copies = files.filter((file) => file.path.startsWith('copies/'));
    assert.ok(copies.length > 100 && copies.length < 220, `${copies.length} copies`);
    const originals = new Set(files.filter((file) => !copies.includes(file)).map((file) => file.contentSeed));
    assert.ok(copies.every((copy) => originals.has(copy.contentSeed)));
  });
});

describe('the content of a corpus', () => {
  test('is the same bytes for the same seed, on every machine and in every version', () => {
    const digest = createHash('sha256');
    for (const kind of contentKinds) digest.update(content(kind, 'seed', 20_000));
    assert.equal(digest.digest('hex'), '9c09d9e2beaa01cf44840108b558f0e0562d096c09b17033720a699dfcc3fd9e');
  });

  test('has exactly the length that was asked for', () => {
    for (const kind of contentKinds) {
      for (const sizeBytes of [0, 1, 97, 8191, 8193]) assert.equal(content(kind, 'x', sizeBytes).length, sizeBytes);
    }
  });

  test('compresses like a real tree, about 1.7 to 1', () => {
    const files = planCorpus('1', 0.02).files.map((file) => content(file.kind, file.contentSeed, file.sizeBytes));
    const all = Buffer.concat(files);
    const params = { [constants.ZSTD_c_compressionLevel]: 3 };
    const ratio = all.length / zstdCompressSync(all, { params }).length;
    assert.ok(ratio > 1.5 && ratio < 2, `${ratio} to 1`);
  });
});

describe('a corpus on disk', () => {
  test('is the same tree when it is written again, and another one for another seed', async (t) => {
    const directory = await temporaryDirectory(t);
    const plan = planCorpus('1', SCALE);
    writeCorpus(plan, path.join(directory, 'a'));
    writeCorpus(plan, path.join(directory, 'b'));
    writeCorpus(planCorpus('2', SCALE), path.join(directory, 'c'));
    await requireSameTree(path.join(directory, 'a'), path.join(directory, 'b'));
    assert.equal(await sizeOfTree(path.join(directory, 'a')), plan.sizeBytes);
    await assert.rejects(requireSameTree(path.join(directory, 'a'), path.join(directory, 'c')), refused);
  });

  test('is changed in a hundredth of its files and in the big one, and put back byte for byte', async (t) => {
    const directory = await temporaryDirectory(t);
    const plan = planCorpus('1', SCALE);
    const [expected, actual] = [path.join(directory, 'a'), path.join(directory, 'b')];
    writeCorpus(plan, expected);
    writeCorpus(plan, actual);
    changeCorpus(plan, actual);
    const changed = [...changedFiles(plan), plan.files[0]].map((file) => file?.path).sort();
    assert.equal(changed.length, 2); // one of 79, and the big one
    const differ: string[] = [];
    for (const file of plan.files) {
      const [was, is] = await Promise.all([expected, actual].map((root) => readFile(path.join(root, file.path))));
      if (!was?.equals(is as Buffer)) differ.push(file.path);
    }
    assert.deepEqual(differ.sort(), changed);
    const big = plan.files[0]?.path as string;
    assert.equal((await stat(path.join(actual, big))).size, (await stat(path.join(expected, big))).size + 2000);
    revertCorpus(plan, actual);
    await requireSameTree(expected, actual);
  });
});

describe('the comparison of trees', () => {
  for (const [what, spoil] of [
    ['one byte more', (file: string) => appendFile(file, 'x')],
    ['another mode', (file: string) => chmod(file, 0o640)],
    ['a file less', (file: string) => rm(file)],
    ['a file more', (file: string) => writeFile(`${file}.more`, '')],
    ['an empty directory more', (file: string) => mkdir(`${file}.folder`)],
  ] as const) {
    test(`refuses ${what}`, async (t) => {
      const directory = await temporaryDirectory(t);
      const plan = planCorpus('1', SCALE / 4);
      const [expected, actual] = [path.join(directory, 'a'), path.join(directory, 'b')];
      writeCorpus(plan, expected);
      writeCorpus(plan, actual);
      await requireSameTree(expected, actual);
      await spoil(path.join(actual, plan.files[3]?.path as string));
      await assert.rejects(requireSameTree(expected, actual), refused);
    });
  }

  test('refuses to have compared nothing', async (t) => {
    const directory = await temporaryDirectory(t);
    await assert.rejects(requireSameTree(directory, directory), refused);
  });
});
