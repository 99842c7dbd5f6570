// Retention through the whole vault: what is marked and swept, and what is kept from it.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Store } from '../../../src/stores/store.ts';
import { DAY, generationsOn, idAt, oneDay, retentionVault, threeSnapshots } from '../../support/retention.ts';
import { COMPONENT, readFiles } from '../../support/vault.ts';

describe('retention of a vault', () => {
  it('marks what is not needed, deletes it after the grace with its whole generation, and keeps the rest readable', async () => {
    await using test = await retentionVault({ rules: oneDay });
    await threeSnapshots(test);
    const plan = await test.vault.retention.plan(test.request());
    assert.deepEqual(
      plan.components[0]?.snapshots.map(({ id, reasons, since }) => [
        id.slice(-1),
        reasons.map(({ rule }) => rule),
        since,
      ]),
      [
        ['3', ['newest'], undefined],
        ['2', [], '2026-01-12T02:00:00.000000Z'],
        ['1', [], '2026-01-02T02:00:00.000000Z'],
      ],
    );
    assert.equal(plan.components[0]?.generations.length, 1);
    const before = plan.copies.local?.mark;
    assert.ok(before && before.objects > 4 && before.bytes > 3000, JSON.stringify(before));

    const { marked } = await test.apply();
    assert.equal(marked.tombstone?.snapshots.length, 2);
    assert.deepEqual(await test.numbersOn('local'), [1, 2, 3]);
    test.pass(6);
    assert.deepEqual((await test.apply()).swept.snapshots, []);
    test.pass(1);
    const { swept, marked: again } = await test.apply();
    assert.deepEqual([swept.snapshots.length, again.tombstone], [2, undefined]);
    assert.deepEqual(swept.deleted.local, before);
    for (const copy of ['local', 'eu']) {
      assert.deepEqual(await test.numbersOn(copy), [3]);
      assert.equal(await generationsOn(test, copy), 1);
    }
    const [left] = await test.vault.listSnapshots();
    assert.ok(left && Object.keys(await readFiles(await test.vault.openSnapshot(left.id))).length === 1);

    test.pass(7);
    assert.equal((await test.apply()).swept.finished.length, 1);
    for (const copy of ['local', 'eu']) assert.deepEqual(await test.keysOn(copy, 'tombstones/'), []);
  });

  it('keeps a generation while one snapshot needs it, and its packs with it', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: 14 * DAY - 1 } } });
    await threeSnapshots(test);
    const { marked } = await test.apply();
    assert.deepEqual([marked.tombstone?.snapshots.length, marked.tombstone?.generations], [1, 0]);
    test.pass(7);
    const { swept } = await test.apply();
    assert.equal(swept.snapshots.length, 1);
    assert.equal(await generationsOn(test, 'local'), 2);
  });

  it('names no generation that can still be joined, was written to lately, or is the newest of its class', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: DAY }, other: { ageSeconds: DAY } } });
    await test.backup(1);
    test.pass(3);
    await test.backup(2);
    test.pass(4);
    await test.backup(3, { class: 'other' });
    test.pass(0.5);
    // 1 and 2 share a generation that is old enough, but the newest full is in it.
    assert.equal((await test.apply()).marked.tombstone?.generations, 0);
    test.pass(1);
    await test.backup(4);
    test.pass(3);
    const writer = test.options.copies[0]?.store as Store;
    const [key = ''] = await test.keysOn('local', `${COMPONENT}/generations/full-20260101`);
    const path = key.split('/').slice(0, 4).join('/');
    await writer.put(`${path}/packs/aa/${'a'.repeat(64)}`, Buffer.from('a pack of a writer that is still at work'));
    assert.equal((await test.apply()).marked.tombstone?.generations, 0);
    test.pass(2.1);
    assert.equal((await test.apply()).marked.tombstone?.generations, 1);
  });

  it('never touches the newest proven snapshot, nor the last clean one', async () => {
    await using test = await retentionVault({ rules: oneDay });
    await threeSnapshots(test);
    test.pass(10);
    await test.backup(4, { state: 'damaged' });
    test.pass(10);
    const proven = idAt('2026-01-01T02:00:00.000000Z' as never, 1);
    const proofs = { [proven]: 'restored' } as const;
    await test.apply({ proofs });
    test.pass(7);
    await test.apply({ proofs });
    assert.deepEqual(await test.numbersOn('eu'), [1, 3, 4]);
  });

  it('keeps what became needed in the grace: a hold, a longer policy, a proof; with its generation', async () => {
    for (const why of ['hold', 'policy', 'proof'] as const) {
      await using test = await retentionVault({ rules: oneDay });
      await threeSnapshots(test);
      await test.apply();
      const first = idAt('2026-01-01T02:00:00.000000Z' as never, 1);
      const at = test.clock.now;
      if (why === 'hold') {
        await test.vault.retention.hold({ component: COMPONENT, snapshot: first, reason: 'audit', by: 'me', at });
      }
      test.pass(7);
      const longer = [{ component: COMPONENT, rules: { full: { ageSeconds: 20.5 * DAY + 1 } } }] as const;
      const changes =
        why === 'policy' ? { policies: longer } : why === 'proof' ? { proofs: { [first]: 'queried' } as const } : {};
      const { swept } = await test.apply(changes);
      const kept = why === 'policy' ? [2, 3] : [1, 3];
      assert.deepEqual(await test.numbersOn('local'), kept, why);
      assert.equal(swept.released.length, 1, why);
      assert.equal(await generationsOn(test, 'local'), 2, why);
      for (const { id } of await test.vault.listSnapshots()) await readFiles(await test.vault.openSnapshot(id));
    }
  });

  it('deletes nothing of a component that is held as a whole, or whose restore is under way', async () => {
    await using test = await retentionVault({ rules: oneDay });
    await threeSnapshots(test);
    await test.apply();
    test.pass(7);
    const passing = [{ id: 'restore-1', component: COMPONENT, reason: 'a restore is under way' }] as const;
    await test.apply({ passing });
    assert.deepEqual(await test.numbersOn('local'), [1, 2, 3]);
    const hold = await test.vault.retention.hold({
      component: COMPONENT,
      reason: 'incident',
      by: 'me',
      at: test.clock.now,
    });
    test.pass(7);
    await test.apply();
    assert.deepEqual(await test.numbersOn('local'), [1, 2, 3]);
    await test.vault.retention.release({ id: hold.id, by: 'me', at: test.clock.now, reason: 'over' });
    await test.apply();
    test.pass(7);
    await test.apply();
    assert.deepEqual(await test.numbersOn('local'), [3]);
  });

  it('takes a tombstone back during the grace, and not once its snapshots are gone', async () => {
    await using test = await retentionVault({ rules: oneDay });
    await threeSnapshots(test);
    const { marked } = await test.apply();
    const id = marked.tombstone?.id ?? '';
    const release = () => test.vault.retention.release({ id, by: 'me', at: test.clock.now, reason: 'a mistake' });
    assert.equal((await release()).snapshots.length, 2);
    test.pass(8);
    const { swept, marked: next } = await test.apply();
    assert.deepEqual([swept.snapshots, next.tombstone?.snapshots.length], [[], 2]);
    test.pass(7);
    await test.apply();
    assert.deepEqual(await test.numbersOn('local'), [3]);
    const last = next.tombstone?.id ?? '';
    await assert.rejects(test.vault.retention.release({ id: last, by: 'me', at: test.clock.now, reason: 'too late' }), {
      code: 'OBJECT_MISSING',
    });
    await assert.rejects(
      test.vault.retention.release({ id: 'hold-00000000', by: 'me', at: test.clock.now, reason: '' }),
      {
        code: 'NOT_FOUND',
      },
    );
  });

  it('refuses to hold or to take back a snapshot that is not whole on any copy', async () => {
    await using test = await retentionVault({ rules: oneDay });
    await threeSnapshots(test);
    const { marked } = await test.apply();
    for (const copy of ['local', 'eu']) {
      for (const key of await test.keysOn(copy, `${COMPONENT}/generations/full-20260101`))
        await rm(join(test.path(copy), key));
    }
    const snapshot = idAt('2026-01-01T02:00:00.000000Z' as never, 1);
    const at = test.clock.now;
    await assert.rejects(test.vault.retention.hold({ component: COMPONENT, snapshot, reason: 'r', by: 'me', at }), {
      code: 'OBJECT_MISSING',
    });
    await assert.rejects(test.vault.retention.release({ id: marked.tombstone?.id ?? '', by: 'me', at, reason: 'r' }), {
      code: 'OBJECT_MISSING',
    });
  });

  it('deletes packs that no index of a closed generation names, and none that a writer may still count on', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: 100 * DAY } } });
    await test.backup(1);
    const [key = ''] = await test.keysOn('local', `${COMPONENT}/generations/`);
    const stray = `${key.split('/').slice(0, 4).join('/')}/packs/ab/${'ab'.repeat(32)}`;
    await test.options.copies[0]?.store.put(stray, Buffer.from('left by a killed attempt'));
    test.pass(5);
    assert.equal((await test.apply()).marked.tombstone, undefined);
    test.pass(5);
    await test.backup(2);
    const { marked } = await test.apply();
    assert.equal(marked.tombstone?.packs, 1);
    test.pass(7);
    await test.apply();
    assert.ok(!(await test.keysOn('local')).includes(stray));
    for (const { id } of await test.vault.listSnapshots()) await readFiles(await test.vault.openSnapshot(id));
  });
});
