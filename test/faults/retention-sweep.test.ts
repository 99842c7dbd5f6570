// Fault sweep over retention: every store call of marking and of sweeping fails once; nothing needed is lost, and a second run converges.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FaultKind, FaultPlan, FaultyStore } from '../support/faulty-store.ts';
import { DAY, putSegment, type RetentionVault, retentionVault } from '../support/retention.ts';
import { COMPONENT, readFiles } from '../support/vault.ts';

/** `small` visits every ninth point, for the ordinary run; `full` all of them. */
const STRIDE = process.env.HOLDFAST_SWEEP === 'full' ? 1 : 9;
const KINDS: readonly FaultKind[] = ['refused', 'answer lost'];

/** Two snapshots that are not needed, alone in their generation, with log; and one that is, which the log window has passed. */
async function prepare(test: RetentionVault): Promise<void> {
  for (const [number, days] of [
    [1, 1],
    [2, 10],
    [3, 3],
  ] as const) {
    const segment = 4 * number;
    for (const copy of ['local', 'eu']) {
      for (const part of [0, 1]) await putSegment(test.vault, copy, segment + part, test.clock.now);
    }
    await test.backup(number, { log: [segment, segment + 1] });
    test.pass(days);
  }
  for (const copy of ['local', 'eu']) await putSegment(test.vault, copy, 14, test.clock.now);
}

async function requireNeeded(test: RetentionVault): Promise<void> {
  const fresh = await test.reopen();
  for (const copy of ['local', 'eu']) {
    // Whatever a copy still claims is whole there, unless a tombstone names it: then some copy of it may be half gone.
    const numbers = await test.numbersOn(copy);
    assert.ok(numbers.includes(3), `the newest snapshot is gone from ${copy}`);
  }
  for (const { id, copies } of await fresh.listSnapshots(COMPONENT)) {
    const present = Object.keys(copies).filter((copy) => copies[copy] === 'present');
    for (const copy of present) await readFiles(await fresh.openSnapshot(id, copy));
  }
}

async function visit(phase: 'mark' | 'sweep', point: number, kind: FaultKind): Promise<boolean> {
  const plan = new FaultPlan();
  await using test = await retentionVault({
    rules: { full: { ageSeconds: DAY } },
    wrap: (store) => new FaultyStore(store, plan),
  });
  await prepare(test);
  if (phase === 'sweep') {
    await test.vault.retention.mark(test.request());
    test.pass(7);
  }
  const vault = await test.reopen();
  const request = test.request();
  plan.set(point, kind);
  const error = await vault.retention[phase](request).then(
    () => undefined,
    (reason: Error) => reason,
  );
  const failed = plan.failed;
  plan.set(undefined);
  const where = `${phase}, call ${point}, ${failed}, ended ${error === undefined ? 'well' : `with ${error.message}`}`;
  try {
    await requireNeeded(test);
    // The same run again, as a retried activity; then what later days do.
    await (await test.reopen()).retention[phase](request);
    await requireNeeded(test);
    for (let day = 0; day < 3; day++) {
      test.pass(8);
      await test.apply({}, await test.reopen());
      await requireNeeded(test);
    }
    for (const copy of ['local', 'eu']) {
      assert.deepEqual(await test.numbersOn(copy), [3]);
      const generations = await test.keysOn(copy, `${COMPONENT}/generations/`);
      assert.equal(new Set(generations.map((key) => key.split('/')[3])).size, 1);
      assert.equal((await test.keysOn(copy, `${COMPONENT}/log/`)).length, 3);
    }
  } catch (cause) {
    throw new Error(`after ${where}`, { cause });
  }
  return failed !== undefined;
}

describe('fault sweep of retention', () => {
  for (const phase of ['mark', 'sweep'] as const) {
    it(`${phase}: fails loudly or does it, loses nothing, and later runs converge`, async (t) => {
      let visited = 0;
      for (const kind of KINDS) {
        for (let point = 1; await visit(phase, point, kind); point += STRIDE) visited++;
      }
      t.diagnostic(`${visited} points visited`);
      assert.ok(visited > 10 / STRIDE);
    });
  }
});
