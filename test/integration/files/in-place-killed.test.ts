// A restore of files in place whose process is killed: at every step and at every line of its journal, with new system calls and without them.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { confirmInPlace, rollbackInPlace, runsInPlace } from '../../../src/files/index.ts';
import { tryRun } from '../../../src/process/index.ts';
import { differences, makeSame } from '../../support/file-trees.ts';
import { InPlaceTrees } from '../../support/in-place.ts';
import type { DyingRun } from '../../support/in-place-and-die.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const isFull = process.env.HOLDFAST_SWEEP === 'full';
type At = NonNullable<DyingRun['at']>;

describe(`a restore of files in place that is killed (HOLDFAST_SEED=${SEED})`, () => {
  let trees: InPlaceTrees;
  let changed: Awaited<ReturnType<InPlaceTrees['changed']>>;
  let runs = 0;

  before(async () => {
    trees = await InPlaceTrees.make();
    changed = await trees.changed('tree', SEED);
  });
  after(() => trees[Symbol.asyncDispose]());

  const child = async (action: DyingRun['action'], run: string, isOld: boolean, at: At = {}) => {
    const { id, root } = changed;
    const { keyFile } = trees.test;
    const asked: DyingRun = { keyFile, copy: trees.test.path('local'), id, root, run, action, isOld, at };
    const args = ['test/support/in-place-and-die.ts', JSON.stringify(asked)];
    const { exitCode, signal, stdout, stderrTail } = await tryRun(process.execPath, args, { deadlineMs: 300_000 });
    assert.ok(exitCode === 0 || signal === 'SIGKILL', stderrTail);
    return exitCode === 0 ? (JSON.parse(stdout) as { steps: number; lines: number }) : undefined;
  };
  const isThen = async (what: string) => assert.deepEqual(await differences(changed.then, changed.root), [], what);
  const isNow = async (what: string) => assert.deepEqual(await differences(changed.now, changed.root), [], what);
  /** All of them, or a few that are spread. */
  const points = ({ steps, lines }: { steps: number; lines: number }, few: number): At[] => {
    const all: At[] = [
      ...Array.from({ length: lines }, (_, at) => ({ line: at + 1 })),
      ...Array.from({ length: steps }, (_, at) => ({ step: at + 1 })),
    ];
    if (isFull) return all;
    const stride = Math.max(1, Math.floor(all.length / few));
    return all.filter((_, at) => at % stride === SEED % stride);
  };

  it('goes on, or back, from wherever that was', async () => {
    const { root, id } = changed;
    const counted = await child('restore', 'count', false);
    assert.ok(counted && counted.lines >= 6 && counted.steps > 5, JSON.stringify(counted));
    await isThen('whole');
    await rollbackInPlace({ root, run: 'count' });
    const visited = [{ isStaging: true }, ...points(counted, 3)];
    for (const [number, at] of visited.entries()) {
      const run = `r${++runs}`;
      const what = `${JSON.stringify(at)} of ${run}`;
      assert.equal(await child('restore', run, number % 2 === 1, at), undefined, `not killed: ${what}`);
      if (number % 2 === 0) {
        await trees.restore(id, root, run);
        await isThen(`on from ${what}`);
      }
      const { written } = await rollbackInPlace({ root, run });
      assert.equal(written, undefined, `${what}: ${JSON.stringify(written)}`);
      await isNow(`back from ${what}`);
    }
  });

  it('is rolled back by the next attempt, from wherever the one before was', async () => {
    const { root, id } = changed;
    await trees.restore(id, root, 'undone');
    const counted = await child('rollback', 'undone', true);
    assert.ok(counted && counted.lines >= 4 && counted.steps > 5, JSON.stringify(counted));
    await isNow('whole');
    for (const at of points(counted, 2)) {
      const run = `r${++runs}`;
      await trees.restore(id, root, run);
      assert.equal(await child('rollback', run, runs % 2 === 1, at), undefined, `not killed: ${JSON.stringify(at)}`);
      const { written } = await rollbackInPlace({ root, run });
      assert.equal(written, undefined, `${JSON.stringify(at)}: ${JSON.stringify(written)}`);
      await isNow(JSON.stringify(at));
    }
  });

  it('is confirmed by the next attempt, and there is nothing left of what was kept', async () => {
    const { root, id } = changed;
    await trees.restore(id, root, 'confirmed');
    const counted = await child('confirm', 'confirmed', false);
    assert.ok(counted && counted.lines >= 4 && counted.steps > 3, JSON.stringify(counted));
    for (const at of points(counted, 2)) {
      const run = `r${++runs}`;
      await makeSame(changed.now, root);
      await trees.restore(id, root, run);
      assert.equal(await child('confirm', run, runs % 2 === 1, at), undefined, `not killed: ${JSON.stringify(at)}`);
      assert.equal((await confirmInPlace({ root, run })).phase, 'confirmed');
      await isThen(JSON.stringify(at));
      assert.deepEqual(await readdir(join(root, '.holdfast', run)), ['journal.jsonl']);
      assert.equal((await runsInPlace(root)).get(run)?.isCleared, true);
    }
  });
});
