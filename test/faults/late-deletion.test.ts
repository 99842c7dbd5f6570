// A sweep that stands still between the confirmation of its lease and what it does next, and wakes up when others have decided: SIGSTOP, SIGCONT.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { momentFromDate } from '../../src/domain/moment.ts';
import type { RetentionRequest, SnapshotId, Vault } from '../../src/vault/index.ts';
import { testS3, wholeFile } from '../support/components.ts';
import { idAt } from '../support/retention.ts';
import {
  describeCopy,
  type StopAt,
  type StoppingParts,
  stoppingCopies,
  sweepRequest,
} from '../support/sweep-and-stop.ts';
import { COMPONENT, readFiles, seededBytes, type TestVault, takeSnapshot, testVault } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const DAY = 86_400;
const PROGRAM = fileURLToPath(import.meta.resolve('../support/sweep-and-stop.ts'));
const patient = { limitMs: 120_000 };
const rules = { full: { ageSeconds: 10 * DAY } };
/** The lease passes at once to an owner of the same name, so that no test waits until it ends. */
const RUN = 'hold by ann';
const s3 = await testS3(wholeFile);

interface Zombie {
  /** Lets it go on, and gives what it said at its end. */
  wake(): Promise<string>;
}

/** Two snapshots that are due, in one generation, and one that stays; a bucket without versions, where only names tell what is deleted. */
async function dueVault(bucket: string) {
  await s3.createBucket(bucket);
  const { region, endpoint, accessKeyId, secretAccessKey } = s3;
  const place = { bucket, s3: { region, endpoint, accessKeyId, secretAccessKey } };
  const test = await testVault({
    copies: ['eu', 'local'],
    store: async (name, directory) => {
      const found = stoppingCopies({ ...place, directory: directory.replace(/\/[^/]+$/, '') });
      return found.find((store) => store.name === name) as never;
    },
  });
  const copies = test.options.copies.map(({ store }) => ({ store, description: describeCopy(store) }));
  const vault = await test.reopen({ copies });
  const ids: SnapshotId[] = [];
  for (const [number, days] of [20, 19, 0].entries()) {
    const from = momentFromDate(new Date(Date.now() - days * DAY * 1000));
    const id = idAt(from, number + 1);
    const files = { 'base/1': seededBytes(`snapshot ${number}`, 90_000) };
    await takeSnapshot(vault, files, number + 1, { id, from, kind: 'files' }, from);
    ids.push(id);
  }
  // Long after the last object came, so that the generation counts as closed.
  const { tombstone } = await vault.retention.mark(sweepRequest({ run: 'retention-00000001', days: 5, rules }));
  assert.deepEqual([tombstone?.snapshots, tombstone?.generations], [ids.slice(0, 2), 1]);
  return { test, vault, place, ids, tombstone: tombstone?.id ?? '' };
}

/** Stands still at this call. */
async function zombieOf(t: TestContext, test: TestVault, place: Pick<StoppingParts, 'bucket' | 's3'>, at: StopAt) {
  const parts: StoppingParts = { ...place, directory: test.directory, at, run: RUN, days: 13, rules };
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, JSON.stringify(parts)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout?.on('data', (piece: Buffer) => {
    said += piece.toString();
  });
  const stat = () => readFile(`/proc/${child.pid}/stat`, 'utf8');
  await waitFor('the sweep to stand still', async () => (await stat()).includes(') T '), patient);
  const ended = new Promise((resolve) => child.once('close', resolve));
  const zombie: Zombie = {
    wake: async () => {
      child.kill('SIGCONT');
      await ended;
      return said.trim().split('\n').at(-1) ?? '';
    },
  };
  return zombie;
}

const sweepWith = (changes: Partial<Pick<RetentionRequest, 'run'>> & { rules?: StoppingParts['rules'] } = {}) =>
  sweepRequest({ run: 'retention-00000002', days: 13, rules, ...changes });

async function numbersOn(test: TestVault, copy: string): Promise<number[]> {
  const store = test.options.copies.find(({ description }) => description.name === copy)?.store;
  const numbers: number[] = [];
  for await (const { key } of store?.list(`${COMPONENT}/snapshots/`) ?? []) {
    numbers.push(Number.parseInt(key.slice(-8), 16));
  }
  return numbers.sort();
}

async function requireWhole(vault: Vault, id: SnapshotId): Promise<void> {
  for (const copy of ['eu', 'local']) await vault.verifyCopy(COMPONENT, id, copy);
  assert.equal(Object.keys(await readFiles(await vault.openSnapshot(id))).length, 1);
}

it('a deletion that arrives late hits nothing that was given back meanwhile: what it names cannot be had back', async (t) => {
  const { test, vault, place, ids, tombstone } = await dueVault('late-delete');
  await using _ = test;
  const zombie = await zombieOf(t, test, place, 'delete');
  const at = momentFromDate(new Date());
  const [first = '' as SnapshotId, , newest = '' as SnapshotId] = ids;
  const begun = { code: 'OBJECT_MISSING', message: /deletion of .* has begun/ };
  const hold = { component: COMPONENT, snapshot: first, reason: 'audit', by: 'ann', at } as const;
  await assert.rejects(vault.retention.hold(hold), begun);
  await assert.rejects(vault.retention.release({ id: tombstone, reason: 'a mistake', by: 'ann', at }), begun);
  // A longer policy needs both again: they stay while they are there, and nobody is told that they are back.
  const longer = await vault.retention.sweep(sweepWith({ rules: { full: { ageSeconds: 90 * DAY } } }));
  assert.deepEqual([longer.released, longer.snapshots], [[], []]);
  assert.deepEqual(await numbersOn(test, 'eu'), [1, 2, 3]);

  assert.equal(await zombie.wake(), 'ended FENCED');
  // It was on its way: this is what a hold would have promised to keep.
  assert.deepEqual(
    [await numbersOn(test, 'eu'), await numbersOn(test, 'local')],
    [
      [2, 3],
      [1, 2, 3],
    ],
  );
  await vault.catchUp('eu');
  assert.deepEqual(await numbersOn(test, 'eu'), [2, 3]);

  const { snapshots, refused } = await vault.retention.sweep(sweepWith());
  assert.deepEqual([snapshots, refused], [ids.slice(0, 2), []]);
  for (const copy of ['eu', 'local']) assert.deepEqual(await numbersOn(test, copy), [3]);
  await requireWhole(vault, newest);
});

it('a beginning that is written down late deletes nothing, and what was held meanwhile stays', async (t) => {
  const { test, vault, place, ids } = await dueVault('late-begun');
  await using _ = test;
  const zombie = await zombieOf(t, test, place, 'begun');
  const at = momentFromDate(new Date());
  const [first = '' as SnapshotId] = ids;
  const hold = { component: COMPONENT, snapshot: first, reason: 'audit', by: 'ann', at } as const;
  await vault.retention.hold(hold);
  assert.equal(await zombie.wake(), 'ended FENCED');
  for (const copy of ['eu', 'local']) assert.deepEqual(await numbersOn(test, copy), [1, 2, 3]);
  for (const run of ['retention-00000002', 'retention-00000003']) await vault.retention.sweep(sweepWith({ run }));
  for (const copy of ['eu', 'local']) assert.deepEqual(await numbersOn(test, copy), [1, 3]);
  await requireWhole(vault, first);
});

it('a tombstone that was taken back while the beginning of its deletion was late stays taken back', async (t) => {
  const { test, vault, place, ids, tombstone } = await dueVault('late-begun-released');
  await using _ = test;
  const zombie = await zombieOf(t, test, place, 'begun');
  const at = momentFromDate(new Date());
  // Takes the lease over and gives it back, so that the release need not wait until it ends.
  await vault.retention.hold({ component: COMPONENT, reason: 'a moment', by: 'ann', at, until: at });
  const { snapshots } = await vault.retention.release({ id: tombstone, reason: 'a mistake', by: 'ann', at });
  assert.deepEqual(snapshots, ids.slice(0, 2));
  assert.equal(await zombie.wake(), 'ended FENCED');
  await vault.retention.sweep(sweepWith());
  for (const copy of ['eu', 'local']) assert.deepEqual(await numbersOn(test, copy), [1, 2, 3]);
  for (const snapshot of ids.slice(0, 2)) {
    await vault.retention.hold({ component: COMPONENT, snapshot, reason: 'audit', by: 'ann', at });
    await requireWhole(vault, snapshot);
  }
});
