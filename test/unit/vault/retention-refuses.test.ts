// Every reason for retention to refuse, with nothing deleted.

import assert from 'node:assert/strict';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../../src/errors/index.ts';
import type { Store } from '../../../src/stores/store.ts';
import { withMethods } from '../../../src/stores/with-methods.ts';
import {
  DAY,
  generationsOn,
  oneDay,
  type RetentionVault,
  retentionVault,
  threeSnapshots,
} from '../../support/retention.ts';
import { COMPONENT } from '../../support/vault.ts';

describe('retention refuses', () => {
  async function due(test: RetentionVault): Promise<void> {
    await threeSnapshots(test);
    await test.apply();
    test.pass(7);
  }

  const everything = async (test: RetentionVault) => [...(await test.keysOn('local')), ...(await test.keysOn('eu'))];
  const untouched = async (test: RetentionVault, attempt: () => Promise<unknown>, code: string) => {
    const before = (await everything(test)).filter((key) => !key.startsWith('leases/'));
    await assert.rejects(attempt(), { code });
    assert.deepEqual(
      (await everything(test)).filter((key) => !key.startsWith('leases/')),
      before,
    );
  };

  it('while a copy is away, and deletes what it should once it is back', async () => {
    await using test = await retentionVault({ rules: oneDay });
    await due(test);
    await rename(test.path('eu'), `${test.path('eu')}.away`);
    const vault = await test.reopen();
    await assert.rejects(vault.retention.sweep(test.request()), { code: 'RETENTION_DOUBT' });
    await assert.rejects(vault.retention.mark(test.request()), { code: 'RETENTION_DOUBT' });
    const plan = await vault.retention.plan(test.request());
    assert.match(plan.refused?.message ?? '', /copy 'eu' is away/);
    assert.deepEqual(await test.numbersOn('local'), [1, 2, 3]);
    await rename(`${test.path('eu')}.away`, test.path('eu'));
    await test.apply({}, await test.reopen());
    assert.deepEqual([await test.numbersOn('local'), await test.numbersOn('eu')], [[3], [3]]);
  });

  it('when a manifest on one copy is damaged or has another size, or a stranger lies among them', async () => {
    for (const break_ of ['flip', 'cut', 'stranger'] as const) {
      await using test = await retentionVault({ rules: oneDay });
      await due(test);
      const [key = ''] = await test.keysOn('eu', `${COMPONENT}/snapshots/`);
      const path = join(test.path('eu'), key);
      if (break_ === 'stranger') await writeFile(`${path}.bak`, 'what is this');
      else {
        const bytes = await test.options.copies[1]?.store.get(key);
        if (bytes === undefined) throw new Error('no manifest');
        bytes[100] = (bytes[100] ?? 0) ^ 1;
        await writeFile(path, break_ === 'cut' ? bytes.subarray(0, -1) : bytes);
      }
      const vault = await test.reopen();
      const { swept, marked } = await test.apply({}, vault);
      assert.deepEqual([swept.refused.length, marked.refused.length], [1, 1], break_);
      assert.equal(swept.refused[0]?.error.code, 'RETENTION_DOUBT');
      assert.deepEqual(await test.numbersOn('local'), [1, 2, 3], break_);
    }
  });

  it('when clocks differ by more than five minutes, or a tombstone lies in the future', async () => {
    await using test = await retentionVault({ rules: oneDay });
    await due(test);
    for (const skewMs of [300_001, -300_001]) {
      test.clock.skewMs = skewMs;
      await untouched(test, () => test.vault.retention.sweep(test.request()), 'RETENTION_DOUBT');
      await untouched(test, () => test.vault.retention.mark(test.request()), 'RETENTION_DOUBT');
    }
    test.clock.skewMs = 0;
    const jumped = test.clock.now;
    test.pass(-30);
    await untouched(test, () => test.vault.retention.sweep(test.request()), 'RETENTION_DOUBT');
    test.clock.now = jumped;
    await test.apply();
    assert.deepEqual(await test.numbersOn('local'), [3]);
  });

  it('a grace that was not the same for every copy: it counts from the last that got the tombstone', async () => {
    await using test = await retentionVault({ rules: oneDay });
    await threeSnapshots(test);
    const { marked } = await test.apply();
    for (const key of await test.keysOn('eu', 'tombstones/')) await rm(join(test.path('eu'), key));
    test.pass(7);
    const first = await test.apply();
    assert.deepEqual(first.swept.tombstones, []);
    test.pass(6);
    assert.deepEqual((await test.apply()).swept.tombstones, []);
    test.pass(1);
    assert.deepEqual((await test.apply()).swept.tombstones, [marked.tombstone?.id]);
    assert.deepEqual(await test.numbersOn('eu'), [3]);
  });

  it('to mark more of a class at once than its maximum: a rule that is too short by mistake takes nothing', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: 30 * DAY } } });
    for (let number = 1; number <= 12; number++) {
      await test.backup(number);
      test.pass(1);
    }
    await test.backup(13, { class: 'other' });
    const maximum = { share: 0.35, snapshots: 3 };
    const mistaken = [{ component: COMPONENT, rules: { full: { last: 1 } } }] as const;
    const { marked } = await test.apply({ maximum, policies: mistaken });
    const [refused] = marked.refused;
    assert.deepEqual([marked.tombstone, refused?.error.code], [undefined, 'RETENTION_MAXIMUM']);
    assert.deepEqual(refused?.error.details, { class: 'full', would: 11, all: 12, most: 4 });
    assert.match(refused?.error.hint ?? '', /retention plan.*--beyond-maximum/);
    // Nor a part of it on each later day.
    for (let day = 0; day < 10; day++) {
      test.pass(1);
      await test.apply({ maximum, policies: mistaken });
    }
    assert.deepEqual(await test.keysOn('local', 'tombstones/'), []);
    const plan = await test.vault.retention.plan(test.request({ maximum, policies: mistaken }));
    assert.equal(plan.components[0]?.refused?.code, 'RETENTION_MAXIMUM');
    assert.equal(plan.components[0]?.snapshots.filter(({ reasons }) => reasons.length === 0).length, 11);
    // The rule mended, nothing was lost; meant, all of it goes, and what was seen is what is marked.
    assert.equal((await test.apply({ maximum })).marked.tombstone, undefined);
    const meant = await test.apply({ maximum, policies: mistaken, beyondMaximum: true });
    assert.equal(meant.marked.tombstone?.snapshots.length, 11);
    const { digest } = plan;
    assert.notEqual(digest, (await test.vault.retention.plan(test.request({ maximum }))).digest);
  });

  it('nothing for being large: in a young vault one generation of three goes, whatever its share of the bytes', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: 20 * DAY } } });
    const maximum = { share: 0.01, snapshots: 1 };
    for (const number of [1, 2, 3]) {
      await test.backup(number);
      test.pass(9);
    }
    const before = await generationsOn(test, 'local');
    const { marked } = await test.apply({ maximum });
    assert.deepEqual([before, marked.refused, marked.tombstone?.generations], [3, [], 1]);
    test.pass(7);
    const { swept } = await test.apply({ maximum });
    assert.equal(swept.snapshots.length, 1);
    assert.equal(await generationsOn(test, 'local'), 2);
  });

  it('a second run at the same time', async () => {
    let arrived: () => void = () => {};
    let release: () => void = () => {};
    const inside = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using test = await retentionVault({ rules: oneDay });
    await due(test);
    const holding = (store: Store): Store =>
      withMethods(store, {
        delete: async (keys) => {
          if (keys.some((key) => key.includes('/snapshots/'))) {
            arrived();
            await gate;
          }
          return store.delete(keys);
        },
      });
    const copies = test.options.copies.map((copy) => ({ ...copy, store: holding(copy.store) }));
    const slow = await test.reopen({ copies });
    const first = slow.retention.sweep(test.request());
    await inside;
    const other = await test.reopen();
    await assert.rejects(other.retention.sweep(test.request()), { code: 'LOCKED' });
    await assert.rejects(other.retention.mark(test.request()), { code: 'LOCKED' });
    release();
    assert.equal((await first).snapshots.length, 2);
  });

  it('nothing because an object is locked: it is told, the others go, and it is tried again', async () => {
    const locked = new Set<string>();
    const wrap = (store: Store): Store =>
      withMethods(store, {
        delete: async (keys) => {
          const refused = keys.find((key) => locked.has(`${store.name} ${key}`));
          await store.delete(keys.filter((key) => !locked.has(`${store.name} ${key}`)));
          if (refused !== undefined) throw new HoldfastError('OBJECT_LOCKED', `'${refused}' is locked`);
        },
      });
    await using test = await retentionVault({ rules: oneDay, wrap });
    await due(test);
    const pack = (await test.keysOn('eu', `${COMPONENT}/generations/full-20260101`)).find((key) =>
      key.includes('/packs/'),
    );
    locked.add(`eu ${pack}`);
    const { swept } = await test.apply();
    assert.deepEqual(swept.kept, { eu: 1 });
    assert.deepEqual(swept.refused, []);
    const left = await test.keysOn('eu', `${COMPONENT}/generations/full-20260101`);
    assert.deepEqual(left, [pack]);
    assert.equal(await generationsOn(test, 'local'), 1);
    const tombstones = (await test.vault.retention.plan(test.request())).tombstones;
    assert.deepEqual(tombstones[0]?.swept, ['local']);
    locked.clear();
    await test.apply();
    assert.equal(await generationsOn(test, 'eu'), 1);
  });

  it('a tombstone that nobody with the key wrote', async () => {
    await using test = await retentionVault({ rules: oneDay });
    await due(test);
    await mkdir(join(test.path('eu'), 'tombstones/20260101T000000Z-00000000'), { recursive: true });
    await writeFile(join(test.path('eu'), 'tombstones/20260101T000000Z-00000000/list'), 'delete everything');
    await untouched(test, async () => (await test.reopen()).retention.sweep(test.request()), 'RETENTION_DOUBT');
    // It stops no backup.
    await test.backup(9, { vault: await test.reopen() });
  });
});
