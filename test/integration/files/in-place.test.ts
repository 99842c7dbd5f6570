// A tree made in place what a snapshot holds, and back again, whatever it had become meanwhile and wherever it is cut off.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ComparedInPlace, confirmInPlace, rollbackInPlace, runsInPlace } from '../../../src/files/index.ts';
import { copyTree, differences, makeAwkwardTree } from '../../support/file-trees.ts';
import { cutAt, InPlaceTrees, namesIn } from '../../support/in-place.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const TREES = process.env.HOLDFAST_SWEEP === 'full' ? 300 : 8;

/** Nothing differs, and something was compared. */
async function assertCompared(comparing: Promise<ComparedInPlace>): Promise<void> {
  const { entries, wrong, changedSince } = await comparing;
  const nothing = { count: 0, first: [] };
  assert.deepEqual({ wrong, changedSince }, { wrong: nothing, changedSince: nothing });
  assert.ok(entries > 5, `${entries} entries`);
}

describe(`a restore of files in place (HOLDFAST_SEED=${SEED})`, () => {
  let trees: InPlaceTrees;

  before(async () => {
    trees = await InPlaceTrees.make();
  });
  after(() => trees[Symbol.asyncDispose]());

  for (let tree = 0; tree < TREES; tree++) {
    it(`makes a random tree what it was, and a rollback makes it what it had become (${SEED + tree})`, async () => {
      const { root, id, then, now } = await trees.changed(`random-${tree}`, SEED + tree);
      await trees.restore(id, root, 'run');
      assert.deepEqual(await differences(then, root), []);
      await assertCompared(trees.compare(id, root, 'run'));
      const back = await rollbackInPlace({ root, run: 'run' });
      assert.equal(back.written, undefined, JSON.stringify(back));
      assert.deepEqual(await differences(now, root), []);
      await trees.restore(id, root, 'again');
      await confirmInPlace({ root, run: 'again' });
      assert.deepEqual(await differences(then, root), []);
      const left = (await readdir(join(root, '.holdfast'), { recursive: true })).sort();
      assert.deepEqual(left, ['again', 'again/journal.jsonl', 'lock', 'run', 'run/journal.jsonl']);
    });
  }

  it('goes on, or back, from wherever it was cut off', async () => {
    const { root, id, then, now } = await trees.changed('cut', SEED + 1000);
    const counted = cutAt(-1);
    await trees.restore(id, root, 'count', { guard: counted });
    const undoing = cutAt(-1);
    await rollbackInPlace({ root, run: 'count', guard: undoing });
    assert.deepEqual(await differences(now, root), []);
    assert.ok(counted.asked > 5 && undoing.asked > 5, `${counted.asked} steps, ${undoing.asked} back`);
    for (let at = 1; at <= counted.asked; at++) {
      const run = `r${at}`;
      await assert.rejects(trees.restore(id, root, run, { guard: cutAt(at) }), /cut off/);
      if (at % 2 === 0) {
        await trees.restore(id, root, run);
        assert.deepEqual(await differences(then, root), [], `on from ${at}`);
        await assertCompared(trees.compare(id, root, run));
      }
      const isCut = await rollbackInPlace({ root, run, guard: cutAt(1 + ((at * 7) % undoing.asked)) }).then(
        () => false,
        (error: Error) => /cut off/.test(error.message) || assert.fail(error),
      );
      const back = await rollbackInPlace({ root, run });
      assert.deepEqual(await differences(now, root), [], `back from ${at}, ${isCut ? '' : 'not '}cut off`);
      assert.equal(back.phase, 'rolled back');
      assert.equal(back.written, undefined, JSON.stringify(back.written));
    }
  });

  it('says before what it would do, and touches nothing', async () => {
    const { root, id } = await trees.changed('planned', SEED + 2000);
    await writeFile(join(root, 'new-one'), 'x');
    const now = await copyTree(root, `${root}.today`);
    const listFile = join(trees.base, 'list.jsonl');
    const plan = await trees.plan(id, root, { listFile });
    assert.ok(plan.changes.some(({ path, kind }) => path === 'new-one' && kind === 'remove'));
    const lines = (await readFile(listFile, 'utf8')).trimEnd().split('\n');
    assert.ok(lines.length >= plan.count, `${lines.length} lines, ${plan.count} changes`);
    await assert.rejects(stat(join(root, '.holdfast')), { code: 'ENOENT' });
    assert.deepEqual(await differences(now, root), []);
    assert.equal((await trees.plan(id, root)).digest, plan.digest);
    await writeFile(join(root, 'one-more'), 'x');
    const other = await trees.plan(id, root);
    assert.notEqual(other.digest, plan.digest);
    assert.equal(other.counts.remove.entries, plan.counts.remove.entries + 1);
    const changed = trees.restore(id, root, 'run', { digest: plan.digest });
    await assert.rejects(changed, { code: 'PLAN_CHANGED' });
    await trees.restore(id, root, 'run', { digest: other.digest });
    await rollbackInPlace({ root, run: 'run' });
  });

  it('counts what comes in with a directory, and what goes with one that gives way', async () => {
    const root = await trees.root('counted');
    await mkdir(join(root, 'gone/deep'), { recursive: true });
    for (const name of ['gone/a', 'gone/deep/b', 'way', 'same']) await writeFile(join(root, name), '12345');
    const id = await trees.capture(root);
    for (const name of ['gone', 'way']) await rm(join(root, name), { recursive: true });
    await mkdir(join(root, 'way/in'), { recursive: true });
    for (const name of ['way/x', 'way/in/y']) await writeFile(join(root, name), '123');
    const { counts, changes } = await trees.plan(id, root);
    assert.deepEqual(counts.create, { entries: 4, bytes: 10 });
    assert.deepEqual(counts.replace, { entries: 1, bytes: 5 });
    assert.deepEqual(counts.remove, { entries: 3, bytes: 6 });
    assert.deepEqual(
      changes.filter(({ path }) => path !== '').map(({ path, kind }) => `${kind} ${path}`),
      ['create gone', 'replace way', ...changes.filter(({ path }) => path === 'same').map(() => 'compare same')].sort(
        (a, b) => ((a.split(' ')[1] ?? '') < (b.split(' ')[1] ?? '') ? -1 : 1),
      ),
    );
  });

  it('knows a tree of every kind of entry as unchanged, and one whose content was changed under an old time as changed', async () => {
    const root = await trees.root('awkward');
    await makeAwkwardTree(root);
    const id = await trees.capture(root);
    const doubtful = await trees.plan(id, root);
    assert.ok(
      doubtful.changes.every(({ kind }) => kind === 'compare'),
      JSON.stringify(doubtful.changes),
    );
    const { counts } = await trees.restore(id, root, 'same');
    for (const { entries } of Object.values(counts)) assert.equal(entries, 0, JSON.stringify(counts));
    await assertCompared(trees.compare(id, root, 'same'));
    await confirmInPlace({ root, run: 'same' });
    const then = await copyTree(root, `${root}.then`);
    const place = join(root, 'plain/deep/deeper/middle');
    const { mtime, atime } = await stat(place);
    await writeFile(place, Buffer.alloc(300_000, 1), { flag: 'r+' });
    await utimes(place, atime, mtime);
    await trees.restore(id, root, 'lied');
    assert.deepEqual(await differences(then, root, 'seconds'), []);
    await confirmInPlace({ root, run: 'lied' });
  });

  it('makes a root that is gone, with everything in it, through links on the way to it', async () => {
    const real = await trees.root('real');
    const root = join(trees.base, 'by-link');
    await symlink(real, root);
    await makeAwkwardTree(real);
    const id = await trees.capture(root);
    const then = await copyTree(real, `${real}.then`);
    await rm(root);
    await symlink(`${real}.elsewhere/further`, root);
    await assert.rejects(trees.plan(id, root), { code: 'TARGET_UNFIT' });
    await rm(root);
    const plan = await trees.plan(id, root);
    assert.match(plan.warnings.join('\n'), /is its disk mounted/);
    await mkdir(`${real}.elsewhere/further`, { recursive: true });
    await symlink(`${real}.elsewhere/further`, root);
    await trees.restore(id, root, 'run');
    assert.deepEqual(await differences(then, `${real}.elsewhere/further`), []);
    assert.equal((await confirmInPlace({ root, run: 'run' })).phase, 'confirmed');
    await rm(root);
    const again = await trees.plan(id, root);
    await trees.restore(id, root, 'run', { digest: again.digest });
    assert.deepEqual(await differences(then, root), []);
  });

  it('gives back only what was asked for', async () => {
    const root = await trees.root('part');
    await mkdir(join(root, 'x/y'), { recursive: true });
    for (const name of ['x/y/one', 'x/two', 'three']) await writeFile(join(root, name), name);
    const id = await trees.capture(root);
    await rm(join(root, 'x'), { recursive: true });
    for (const name of ['three', 'four']) await writeFile(join(root, name), 'changed');
    await trees.restore(id, root, 'run', { selection: { paths: [join(root, 'x/y')] } });
    assert.deepEqual(await namesIn(root), ['four', 'three', 'x', 'x/y', 'x/y/one']);
    assert.equal((await stat(join(root, 'three'))).size, 7);
  });

  it('refuses a second change of a root before the first is over, and answers what is asked again with what happened', async () => {
    const { root, id, then } = await trees.changed('twice', SEED + 3000);
    const known = () =>
      runsInPlace(root).then((runs) => [...runs].map(([run, { phase, isCleared }]) => [run, phase, isCleared]));
    await trees.restore(id, root, 'first');
    assert.deepEqual(await known(), [['first', 'exchanged', false]]);
    const second = trees.restore(id, root, 'second');
    await assert.rejects(second, { code: 'TARGET_UNFIT', hint: /holdfast confirm first/ });
    await assert.rejects(trees.plan(id, root), { code: 'TARGET_UNFIT', hint: /holdfast confirm first/ });
    await assert.rejects(confirmInPlace({ root, run: 'second' }), { code: 'NOT_FOUND' });
    await assert.rejects(rollbackInPlace({ root, run: 'third' }), { code: 'NOT_FOUND' });
    await assert.rejects(rollbackInPlace({ root: `${root}.not`, run: 'first' }), { code: 'NOT_FOUND' });
    const confirmed = await confirmInPlace({ root, run: 'first' });
    assert.deepEqual(await confirmInPlace({ root, run: 'first' }), confirmed);
    await assert.rejects(rollbackInPlace({ root, run: 'first' }), { code: 'JOURNAL_STATE', message: /is confirmed/ });
    await trees.restore(id, root, 'second');
    const back = await rollbackInPlace({ root, run: 'second' });
    assert.deepEqual(await rollbackInPlace({ root, run: 'second' }), back);
    await assert.rejects(confirmInPlace({ root, run: 'second' }), { code: 'JOURNAL_STATE', message: /is rolled back/ });
    // A late attempt of a run that is over must not begin again.
    for (const run of ['first', 'second'])
      await assert.rejects(trees.restore(id, root, run), { code: 'JOURNAL_STATE', message: /confirmed|rolled back/ });
    assert.deepEqual(await differences(then, root), []);
    assert.deepEqual(await known(), [
      ['first', 'confirmed', true],
      ['second', 'rolled back', true],
    ]);
  });
});
