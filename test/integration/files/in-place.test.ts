// A tree made in place what a snapshot holds, and back again, whatever it had become meanwhile and wherever it is cut off.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  captureFiles,
  confirmInPlace,
  type InPlaceOptions,
  planInPlace,
  restoreInPlace,
  rollbackInPlace,
  runsInPlace,
  type ScanRules,
} from '../../../src/files/index.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { churn, copyTree, dice, differences, makeAwkwardTree } from '../../support/file-trees.ts';
import { snapshotId, type TestVault, testVault } from '../../support/vault.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const TREES = process.env.HOLDFAST_SWEEP === 'full' ? 300 : 8;
const everything: ScanRules = { exclude: [], oneFileSystem: true, cacheTags: true };

async function listOf<Each>(source: AsyncIterable<Each>): Promise<Each[]> {
  const all: Each[] = [];
  for await (const each of source) all.push(each);
  return all;
}

describe(`a restore of files in place (HOLDFAST_SEED=${SEED})`, () => {
  let base: string;
  let test: TestVault;
  let number = 1;
  const signal = AbortSignal.timeout(3_000_000);

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-in-place-'));
    test = await testVault();
  });
  after(async () => {
    await rm(base, { recursive: true, force: true });
    await test[Symbol.asyncDispose]();
  });

  const capture = async (root: string, rules = everything): Promise<SnapshotId> => {
    const request = { component: 'files/uploads', class: 'files', host: 'here' } as const;
    const id = snapshotId(number++);
    await captureFiles({
      vault: test.vault,
      source: { roots: [root], rules },
      request: { ...request, snapshotId: id },
      signal,
    });
    return id;
  };
  const withOptions = async <T>(id: SnapshotId, root: string, use: (options: InPlaceOptions) => Promise<T>) => {
    const reader = await test.vault.openSnapshot(id);
    try {
      return await use({ reader, root, rules: everything, signal });
    } finally {
      reader.close();
    }
  };
  /** A snapshot of one tree, and another tree in its place; with copies of both. */
  const changed = async (name: string, seed: number) => {
    const roll = dice(seed);
    const root = join(base, name);
    await mkdir(root);
    await churn(root, roll, 60);
    const id = await capture(root);
    const then = await copyTree(root, `${root}.then`);
    await churn(root, roll, 40);
    return { root, id, then, now: await copyTree(root, `${root}.now`) };
  };

  for (let tree = 0; tree < TREES; tree++) {
    it(`makes a random tree what it was, and a rollback makes it what it had become (${SEED + tree})`, async () => {
      const { root, id, then, now } = await changed(`random-${tree}`, SEED + tree);
      await withOptions(id, root, (options) => restoreInPlace({ ...options, run: 'run' }));
      assert.deepEqual(await differences(then, root), []);
      await rollbackInPlace(root, 'run');
      assert.deepEqual(await differences(now, root), []);
      await withOptions(id, root, (options) => restoreInPlace({ ...options, run: 'again' }));
      await confirmInPlace(root, 'again');
      assert.deepEqual(await differences(then, root), []);
      assert.deepEqual((await readdir(join(root, '.holdfast'))).sort(), ['lock']);
    });
  }

  it('goes on, or back, from wherever it was cut off', async () => {
    const { root, id, then, now } = await changed('cut', SEED + 1000);
    let steps = 0;
    const counted = async () => void steps++;
    await withOptions(id, root, (options) => restoreInPlace({ ...options, run: 'count', check: counted }));
    await rollbackInPlace(root, 'count');
    assert.deepEqual(await differences(now, root), []);
    assert.ok(steps > 5, `${steps} steps`);
    const cutAt = (at: number) => {
      let step = 0;
      return async () => {
        if (++step === at) throw new Error('cut off');
      };
    };
    for (let at = 1; at <= steps; at++) {
      const attempt = (check?: () => Promise<void>) =>
        withOptions(id, root, (options) => restoreInPlace({ ...options, run: `r${at}`, ...(check && { check }) }));
      await assert.rejects(attempt(cutAt(at)), /cut off/);
      if (at % 2 === 0) {
        await attempt();
        assert.deepEqual(await differences(then, root), [], `on from ${at}`);
      }
      await assert.rejects(rollbackInPlace(root, `r${at}`, cutAt(1 + (at % 5))), /cut off/);
      await rollbackInPlace(root, `r${at}`);
      assert.deepEqual(await differences(now, root), [], `back from ${at}`);
    }
  });

  it('says before what it would do, and touches nothing', async () => {
    const { root, id, now } = await changed('planned', SEED + 2000);
    await writeFile(join(root, 'new-one'), 'x');
    await copyTree(join(root, 'new-one'), join(now, 'new-one'));
    const changes = await withOptions(id, root, (options) => listOf(planInPlace(options)));
    assert.ok(changes.some(({ path, kind }) => path === 'new-one' && kind === 'remove'));
    await rm(join(now, '.holdfast'), { recursive: true, force: true });
    await assert.rejects(stat(join(root, '.holdfast')), { code: 'ENOENT' });
  });

  it('knows a tree of every kind of entry as unchanged, and one whose content was changed under an old time as changed', async () => {
    const root = join(base, 'awkward');
    await mkdir(root);
    await makeAwkwardTree(root);
    const id = await capture(root);
    const plan = () => withOptions(id, root, (options) => listOf(planInPlace(options)));
    const doubtful = await plan();
    assert.ok(
      doubtful.every(({ kind }) => kind === 'compare'),
      JSON.stringify(doubtful),
    );
    const done = await withOptions(id, root, (options) => restoreInPlace({ ...options, run: 'same' }));
    assert.equal(done.create + done.replace + done.remove + done.settle, 0, JSON.stringify(done));
    await confirmInPlace(root, 'same');
    const then = await copyTree(root, `${root}.then`);
    const place = join(root, 'plain/deep/deeper/middle');
    const { mtime, atime } = await stat(place);
    await writeFile(place, Buffer.alloc(300_000, 1), { flag: 'r+' });
    await utimes(place, atime, mtime);
    await withOptions(id, root, (options) => restoreInPlace({ ...options, run: 'lied' }));
    assert.deepEqual(await differences(then, root, 'seconds'), []);
    await confirmInPlace(root, 'lied');
  });

  it('takes nothing away that the rules leave out, of then or of now', async () => {
    const root = join(base, 'ruled');
    await mkdir(join(root, 'sub'), { recursive: true });
    await mkdir(join(root, 'sessions'));
    for (const name of ['sub/kept', 'sessions/old']) await writeFile(join(root, name), 'kept');
    const id = await capture(root, { ...everything, exclude: ['*.tmp'] });
    await mkdir(join(root, 'later'));
    for (const name of ['sub/a.tmp', 'later/b.tmp', 'later/c', 'sub/d.log', 'sessions/old'])
      await writeFile(join(root, name), `${name} of today`);
    const rules = { ...everything, exclude: ['*.log', '/sessions/'] };
    await withOptions(id, root, (options) => restoreInPlace({ ...options, rules, run: 'run' }));
    await confirmInPlace(root, 'run');
    const left = (await readdir(root, { recursive: true })).filter((name) => !name.startsWith('.holdfast')).sort();
    assert.deepEqual(left, [
      'later',
      'later/b.tmp',
      'sessions',
      'sessions/old',
      'sub',
      'sub/a.tmp',
      'sub/d.log',
      'sub/kept',
    ]);
    assert.equal(await readFile(join(root, 'sessions/old'), 'utf8'), 'sessions/old of today');
  });

  it('gives back only what was asked for', async () => {
    const root = join(base, 'part');
    await mkdir(join(root, 'x/y'), { recursive: true });
    for (const name of ['x/y/one', 'x/two', 'three']) await writeFile(join(root, name), name);
    const id = await capture(root);
    await rm(join(root, 'x'), { recursive: true });
    for (const name of ['three', 'four']) await writeFile(join(root, name), 'changed');
    const selection = { paths: [join(root, 'x/y')] };
    await withOptions(id, root, (options) => restoreInPlace({ ...options, selection, run: 'run' }));
    const left = (await readdir(root, { recursive: true })).filter((name) => !name.startsWith('.holdfast')).sort();
    assert.deepEqual(left, ['four', 'three', 'x', 'x/y', 'x/y/one']);
    assert.equal((await stat(join(root, 'three'))).size, 7);
  });

  it('refuses a second change of a root before the first is confirmed, and to confirm or undo what is over', async () => {
    const { root, id } = await changed('twice', SEED + 3000);
    await withOptions(id, root, (options) => restoreInPlace({ ...options, run: 'first' }));
    assert.deepEqual([...(await runsInPlace(root))], [['first', 'exchanged']]);
    const second = withOptions(id, root, (options) => restoreInPlace({ ...options, run: 'second' }));
    await assert.rejects(second, { code: 'TARGET_UNFIT', hint: /holdfast confirm first/ });
    await confirmInPlace(root, 'first');
    await confirmInPlace(root, 'first');
    await rollbackInPlace(root, 'first');
  });
});
