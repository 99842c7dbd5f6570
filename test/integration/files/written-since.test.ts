// What others write into a tree after a restore in place: a rollback gives back what was there, and loses nothing of theirs.

import assert from 'node:assert/strict';
import { appendFile, chmod, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { confirmInPlace, rollbackInPlace } from '../../../src/files/index.ts';
import type { SnapshotId, SnapshotReader } from '../../../src/vault/index.ts';
import { copyTree, differences } from '../../support/file-trees.ts';
import { cutAt, InPlaceTrees, namesIn, writeNames } from '../../support/in-place.ts';

const CAPTURED = ['made/file', 'made/deep/file', 'same/name', 'changed', 'replaced', 'deleted', 'settled', 'rewritten'];
const TODAY = ['gone/file', 'gone/deep/file', 'same/name', 'changed', 'replaced', 'deleted', 'settled', 'taken'];

describe('what others write after a restore of files in place', () => {
  let trees: InPlaceTrees;

  before(async () => {
    trees = await InPlaceTrees.make();
  });
  after(() => trees[Symbol.asyncDispose]());

  const restored = async (name: string): Promise<{ root: string; id: SnapshotId; now: string }> => {
    const root = await trees.root(name);
    await writeNames(root, CAPTURED, 'then');
    await chmod(join(root, 'settled'), 0o600);
    for (const each of ['settled', 'made/deep/file']) await utimes(join(root, each), 1_600_000_000, 1_600_000_000);
    const id = await trees.capture(root);
    for (const each of await readdir(root)) if (each !== 'settled') await rm(join(root, each), { recursive: true });
    await writeNames(
      root,
      TODAY.filter((each) => each !== 'settled'),
      'now',
    );
    await chmod(join(root, 'settled'), 0o640);
    const now = await copyTree(root, `${root}.now`);
    await trees.restore(id, root, 'run');
    return { root, id, now };
  };
  /** Each in its own way; the bytes of all of it. */
  const writeSince = async (root: string): Promise<readonly string[]> => {
    await appendFile(join(root, 'changed'), ', and appended');
    await writeNames(root, ['replaced.new'], 'since');
    await rename(join(root, 'replaced.new'), join(root, 'replaced'));
    await rm(join(root, 'deleted'));
    await writeNames(root, ['made/new', 'made/deep/more/new', 'taken', 'gone', 'of-their-own'], 'since');
    // Of the same length, and with its old time.
    const { atime, mtime, size } = await stat(join(root, 'made/deep/file'));
    await writeFile(join(root, 'made/deep/file'), 'x'.repeat(size), { flag: 'r+' });
    await utimes(join(root, 'made/deep/file'), atime, mtime);
    await rm(join(root, 'rewritten'));
    await writeNames(root, ['rewritten'], 'since');
    await appendFile(join(root, 'settled'), ', and appended');
    return [
      'then changed, and appended',
      'since replaced.new',
      'x'.repeat(size),
      'then settled, and appended',
      ...['made/new', 'made/deep/more/new', 'taken', 'gone', 'of-their-own', 'rewritten'].map(
        (name) => `since ${name}`,
      ),
    ];
  };
  const contents = async (directory: string): Promise<string[]> => {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = entries.filter((entry) => entry.isFile());
    return await Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'utf8')));
  };
  /** As it was, but for what others made beside it and the file that was only settled. */
  const assertBack = async (root: string, now: string): Promise<void> => {
    assert.equal(await readFile(join(root, 'of-their-own'), 'utf8'), 'since of-their-own');
    assert.equal((await stat(join(root, 'settled'))).mode & 0o777, 0o640);
    assert.equal(await readFile(join(root, 'settled'), 'utf8'), 'then settled, and appended');
    await rm(join(root, 'of-their-own'));
    await rm(join(root, 'settled'));
    const bare = await copyTree(now, `${now}.bare`);
    await rm(join(bare, 'settled'));
    for (const place of [root, bare]) await utimes(place, 1, 1);
    assert.deepEqual(await differences(bare, root), []);
    await rm(bare, { recursive: true });
  };

  it('is kept by a rollback, which names where, and asked again names it again', async () => {
    const { root, now } = await restored('kept');
    await writeSince(root);
    const back = await rollbackInPlace({ root, run: 'run' });
    const directory = join(root, '.holdfast/run/written');
    assert.equal(back.written?.directory, directory);
    const files = [
      'changed',
      'gone',
      'made/deep/file',
      'made/deep/more/new',
      'made/new',
      'replaced',
      'rewritten',
      'taken',
    ];
    assert.deepEqual(back.written?.files, { count: files.length, first: files });
    for (const name of files.filter((each) => !['changed', 'made/deep/file', 'replaced'].includes(each))) {
      assert.equal(await readFile(join(directory, name), 'utf8'), `since ${name}`);
    }
    await assertBack(root, now);
    assert.deepEqual(await rollbackInPlace({ root, run: 'run' }), back);
    assert.deepEqual((await readdir(join(root, '.holdfast/run'))).sort(), ['journal.jsonl', 'written']);
  });

  it('is kept wherever the rollback is cut off', async () => {
    const counting = cutAt(-1);
    {
      const { root } = await restored('counted');
      await writeSince(root);
      await rollbackInPlace({ root, run: 'run', guard: counting });
    }
    assert.ok(counting.asked > 15, `${counting.asked} steps`);
    const stride = process.env.HOLDFAST_SWEEP === 'full' ? 1 : 8;
    for (let at = 1 + Math.floor(Math.random() * stride); at <= counting.asked; at += stride) {
      const { root, now } = await restored(`cut-${at}`);
      const theirs = await writeSince(root);
      await assert.rejects(rollbackInPlace({ root, run: 'run', guard: cutAt(at) }), /cut off/);
      const back = await rollbackInPlace({ root, run: 'run' });
      const all = new Set([...(await contents(root)), ...(await contents(back.written?.directory ?? ''))]);
      for (const content of theirs) assert.ok(all.has(content), `'${content}' is lost, cut off at ${at}`);
      await assertBack(root, now);
    }
  });

  it('stays where it is when the restore is confirmed', async () => {
    const { root } = await restored('confirmed');
    const theirs = await writeSince(root);
    const before = await namesIn(root);
    const { written } = await confirmInPlace({ root, run: 'run' });
    assert.equal(written, undefined);
    assert.deepEqual(await namesIn(root), before);
    const all = new Set(await contents(root));
    for (const content of theirs) assert.ok(all.has(content), content);
  });

  it('is kept when it is written between the list and the exchange, and put where the exchange had just been', async () => {
    const root = await trees.root('meanwhile');
    await writeNames(root, ['a', 'b', 'c'], 'then');
    const id = await trees.capture(root);
    await rm(join(root, 'a'));
    await writeNames(root, ['b', 'c'], 'now');
    await chmod(join(root, 'c'), 0o700);
    let isOver = false;
    const check = async () => {
      const isStaged = await stat(join(root, '.holdfast/run/exchange.jsonl')).then(
        () => true,
        () => false,
      );
      if (isOver || !isStaged) return;
      isOver = true;
      // A name that was to be created, and one that was to be replaced, made anew.
      await writeNames(root, ['a', 'b.new'], 'since');
      await rename(join(root, 'b.new'), join(root, 'b'));
    };
    await trees.restore(id, root, 'run', { guard: { check, checkEveryMs: 0 } });
    assert.ok(isOver);
    assert.deepEqual(await contents(join(root, '.holdfast/run/old')).then((all) => all.sort()), [
      'now c',
      'since a',
      'since b.new',
    ]);
    assert.equal(await readFile(join(root, 'a'), 'utf8'), 'then a');
    await rollbackInPlace({ root, run: 'run' });
    assert.equal(await readFile(join(root, 'a'), 'utf8'), 'since a');
    assert.equal(await readFile(join(root, 'b'), 'utf8'), 'since b.new');
  });

  it('never begins to exchange what was not staged', async () => {
    const root = await trees.root('unstaged');
    await writeNames(root, ['one', 'two', 'deep/three'], 'then');
    const id = await trees.capture(root);
    for (const name of ['one', 'two', 'deep']) await rm(join(root, name), { recursive: true });
    for (const missing of ['two', 'deep/three']) {
      const opened = await trees.test.vault.openSnapshot(id);
      const restoreFiles: SnapshotReader['restoreFiles'] = (files, options) => {
        const some = async function* () {
          for await (const file of files) if (!file.entry.path.endsWith(`/${missing}`)) yield file;
        };
        return opened.restoreFiles(some(), options);
      };
      const reader = { snapshot: opened.snapshot, entries: () => opened.entries(), restoreFiles };
      const run = missing.slice(-3);
      const restoring = trees.restore(id, root, run, { reader });
      const refused = new RegExp(`'${missing}' was not staged as it is wanted: it is not there`);
      await assert.rejects(restoring, { code: 'TARGET_UNFIT', message: refused });
      opened.close();
      assert.deepEqual(await namesIn(root), []);
      if (missing === 'two') await rollbackInPlace({ root, run });
    }
    // What is there by the next attempt is enough, and what a killed one has left over does not come in.
    await writeFile(join(root, '.holdfast/ree/new/deep/three.00000001.holdfast-part'), 'half');
    await trees.restore(id, root, 'ree');
    assert.deepEqual(await namesIn(root), ['deep', 'deep/three', 'one', 'two']);
  });
});
