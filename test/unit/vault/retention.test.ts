// Retention through the whole vault: what is marked, what is swept, what nothing may touch, and every reason to refuse.

import assert from 'node:assert/strict';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../../src/errors/index.ts';
import { readHoldings } from '../../../src/postgres/receiver/holdings.ts';
import type { Store } from '../../../src/stores/store.ts';
import {
  DAY,
  idAt,
  putSegment,
  type RetentionVault,
  retentionVault,
  SYSTEM,
  segmentOf,
} from '../../support/retention.ts';
import { COMPONENT, readFiles } from '../../support/vault.ts';

const short = { full: { ageSeconds: DAY } };

/** Snapshots 1 and 2 a day apart in one generation, 3 in the next; more than the length of a generation later. */
async function threeSnapshots(test: RetentionVault): Promise<void> {
  await test.backup(1);
  test.pass(1);
  await test.backup(2);
  test.pass(10);
  await test.backup(3);
  test.pass(3);
}

const generationsOn = async (test: RetentionVault, copy: string) =>
  new Set((await test.keysOn(copy, `${COMPONENT}/generations/`)).map((key) => key.split('/')[3])).size;

describe('retention of a vault', () => {
  it('marks what is not needed, deletes it after the grace with its whole generation, and keeps the rest readable', async () => {
    await using test = await retentionVault({ rules: short });
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
    await using test = await retentionVault({ rules: short });
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
      await using test = await retentionVault({ rules: short });
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
    await using test = await retentionVault({ rules: short });
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
    await using test = await retentionVault({ rules: short });
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
    await using test = await retentionVault({ rules: short });
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

describe('retention of log', () => {
  async function tenDays(test: RetentionVault): Promise<void> {
    for (let day = 0; day < 10; day++) {
      for (const copy of ['local', 'eu']) {
        for (const part of [0, 1]) await putSegment(test.vault, copy, 2 * day + part, test.clock.now);
      }
      if (day % 2 === 0) await test.backup(day + 1, { log: [2 * day, 2 * day + 1] });
      test.pass(1);
    }
  }

  const segmentsOn = async (test: RetentionVault, copy: string) => {
    const keys = await test.keysOn(copy, `${COMPONENT}/log/${SYSTEM}/`);
    return Array.from({ length: 20 }, (_, n) => n).filter((n) => keys.some((key) => key.endsWith(`/${segmentOf(n)}`)));
  };

  it('keeps what each snapshot needs, and everything from the base in front of the window', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: 100 * DAY } } });
    await tenDays(test);
    const { marked } = await test.apply();
    // The last sign of life is of day 9: the window goes back to day 8, whose base begins at segment 16.
    assert.equal(marked.tombstone?.logObjects, 12);
    test.pass(7);
    await test.apply();
    for (const copy of ['local', 'eu']) {
      assert.deepEqual(await segmentsOn(test, copy), [0, 4, 8, 12, 16, 17, 18, 19]);
    }
  });

  it('is no log to go on from for a receiver once it is named, so that copies which are swept one after another agree', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: 100 * DAY } } });
    await tenDays(test);
    const log = test.vault.log(COMPONENT, SYSTEM, 'eu');
    assert.equal((await readHoldings(log)).objects.length, 20);
    const { marked } = await test.apply();
    assert.deepEqual([(await log.list()).objects.length, (await readHoldings(log)).objects.length], [20, 8]);
    const id = marked.tombstone?.id ?? '';
    await test.vault.retention.release({ id, by: 'me', at: test.clock.now, reason: 'a mistake' });
    assert.equal((await readHoldings(log)).objects.length, 20);
  });

  it('takes log back that a longer window needs: it is named no more, caught up again, and its tombstone ends', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: 100 * DAY } } });
    await tenDays(test);
    const { marked } = await test.apply();
    assert.equal(marked.tombstone?.logObjects, 12);
    test.pass(7);
    const policies = [
      { component: COMPONENT, rules: { full: { ageSeconds: 100 * DAY } }, logWindowSeconds: 20 * DAY },
    ] as const;
    const { swept } = await test.apply({ policies });
    assert.deepEqual(swept.released, ['12 objects of the log of database/main']);
    const [tombstone] = (await test.vault.retention.plan(test.request({ policies }))).tombstones;
    assert.deepEqual([tombstone?.logObjects, tombstone?.state], [0, 'swept']);
    const everything = Array.from({ length: 20 }, (_, n) => n);
    assert.deepEqual(await segmentsOn(test, 'eu'), everything);
    const [lost = ''] = (await test.keysOn('eu', `${COMPONENT}/log/`)).filter((key) => key.endsWith(segmentOf(1)));
    await rm(join(test.path('eu'), lost));
    await (await test.reopen()).catchUp('eu');
    assert.deepEqual(await segmentsOn(test, 'eu'), everything);
    test.pass(7);
    assert.deepEqual((await test.apply({ policies })).swept.finished, [marked.tombstone?.id]);
  });

  it('deletes none without a window in the policy, and none where a snapshot does not say what it needs', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: 100 * DAY } } });
    await tenDays(test);
    const policies = [{ component: COMPONENT, rules: { full: { ageSeconds: 100 * DAY } } }] as const;
    assert.equal((await test.apply({ policies })).marked.tombstone, undefined);
  });

  it('keeps the log of a snapshot that is marked until the snapshot itself is gone', async () => {
    await using test = await retentionVault({ rules: { full: { last: 2 } } });
    await tenDays(test);
    const { marked } = await test.apply();
    assert.equal(marked.tombstone?.snapshots.length, 3);
    assert.equal(marked.tombstone?.logObjects, 15);
    const id = marked.tombstone?.id ?? '';
    test.pass(3);
    const first = idAt('2026-01-01T02:00:00.000000Z' as never, 1);
    await test.vault.retention.hold({
      component: COMPONENT,
      snapshot: first,
      reason: 'audit',
      by: 'me',
      at: test.clock.now,
    });
    test.pass(4);
    const { swept } = await test.apply();
    assert.deepEqual([swept.tombstones, swept.released], [[id], [first]]);
    assert.deepEqual(await segmentsOn(test, 'eu'), [0, 12, 16, 17, 18, 19]);
  });
});

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
    await using test = await retentionVault({ rules: short });
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
      await using test = await retentionVault({ rules: short });
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
    await using test = await retentionVault({ rules: short });
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
    await using test = await retentionVault({ rules: short });
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
    await using test = await retentionVault({ rules: short });
    await due(test);
    const holding = (store: Store): Store =>
      new Proxy(store, {
        get: (target, name) => {
          if (name === 'delete') {
            return async (keys: readonly string[]) => {
              if (keys.some((key) => key.includes('/snapshots/'))) {
                arrived();
                await gate;
              }
              return target.delete(keys);
            };
          }
          const value = Reflect.get(target, name) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
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
      new Proxy(store, {
        get: (target, name) => {
          if (name === 'delete') {
            return async (keys: readonly string[]) => {
              const refused = keys.find((key) => locked.has(`${target.name} ${key}`));
              await target.delete(keys.filter((key) => !locked.has(`${target.name} ${key}`)));
              if (refused !== undefined) throw new HoldfastError('OBJECT_LOCKED', `'${refused}' is locked`);
            };
          }
          const value = Reflect.get(target, name) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    await using test = await retentionVault({ rules: short, wrap });
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
    await using test = await retentionVault({ rules: short });
    await due(test);
    await mkdir(join(test.path('eu'), 'tombstones/20260101T000000Z-00000000'), { recursive: true });
    await writeFile(join(test.path('eu'), 'tombstones/20260101T000000Z-00000000/list'), 'delete everything');
    await untouched(test, async () => (await test.reopen()).retention.sweep(test.request()), 'RETENTION_DOUBT');
    // It stops no backup.
    await test.backup(9, { vault: await test.reopen() });
  });
});

describe('writers beside retention', () => {
  it('a backup that began before its generation was named gives up when it would commit after that', async () => {
    await using test = await retentionVault({ rules: short });
    await test.backup(1);
    const late = await test.reopen();
    const id = idAt(test.clock.now, 7);
    const writer = await late.writeSnapshot({
      id,
      component: COMPONENT,
      kind: 'physical',
      class: 'full',
      from: test.clock.now,
      host: 'db1',
    });
    await writer.addFile(
      { path: 'base/7', mode: 0o600, mtimeSeconds: 0 },
      (async function* () {
        yield Buffer.from('seven');
      })(),
    );
    test.pass(11);
    await test.backup(2);
    test.pass(3);
    const { marked } = await test.apply();
    assert.equal(marked.tombstone?.generations, 1);
    await assert.rejects(writer.commit({ to: test.clock.now, state: 'clean', engine: {} }), { code: 'FENCED' });
    test.pass(7);
    await test.apply();
    assert.deepEqual(await test.numbersOn('local'), [2]);
  });

  it('a backup that committed before the sweep looked keeps its generation', async () => {
    await using test = await retentionVault({ rules: short });
    await test.backup(1);
    const late = await test.reopen();
    const from = test.clock.now;
    const writer = await late.writeSnapshot({
      id: idAt(from, 7),
      component: COMPONENT,
      kind: 'physical',
      class: 'full',
      from,
      host: 'db1',
    });
    await writer.addFile(
      { path: 'base/7', mode: 0o600, mtimeSeconds: 0 },
      (async function* () {
        yield Buffer.from('seven');
      })(),
    );
    test.pass(11);
    await test.backup(2);
    test.pass(3);
    await writer.commit({
      to: test.clock.now,
      state: 'clean',
      engine: { systemId: SYSTEM, timeline: 1, startLsn: '0/100', stopLsn: '0/200' },
    });
    const { marked } = await test.apply();
    assert.equal(marked.tombstone?.generations, 0);
    test.pass(7);
    await test.apply();
    assert.deepEqual(await test.numbersOn('local'), [2, 7]);
    await readFiles(await test.vault.openSnapshot(idAt(from, 7), 'eu'));
  });
});

describe('catch-up beside retention', () => {
  it('brings back nothing that is named, whichever copy was away and for how long', async () => {
    await using test = await retentionVault({ rules: short, copies: ['local', 'eu', 'us'] });
    await threeSnapshots(test);
    await test.apply();
    test.pass(7);
    // The run dies after the first copy: the others still have everything.
    const dying = test.options.copies.map((copy) => ({
      ...copy,
      store: new Proxy(copy.store, {
        get: (target, name) => {
          if (name === 'delete' && target.name !== 'local')
            return () => Promise.reject(new HoldfastError('STORE_UNAVAILABLE', 'gone'));
          const value = Reflect.get(target, name) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
    }));
    const vault = await test.reopen({ copies: dying });
    await assert.rejects(vault.retention.sweep(test.request()), { code: 'STORE_UNAVAILABLE' });
    assert.deepEqual(
      [await test.numbersOn('local'), await test.numbersOn('us')],
      [
        [2, 3],
        [1, 2, 3],
      ],
    );
    test.pass(10);
    const back = await test.reopen();
    await back.catchUp('local');
    assert.deepEqual(await test.numbersOn('local'), [2, 3]);
    // A new disk in the place of eu.
    for (const name of await readdir(test.path('eu'))) await rm(join(test.path('eu'), name), { recursive: true });
    const adopted = await test.reopen();
    await adopted.adoptCopy('eu');
    await adopted.catchUp('eu');
    assert.deepEqual(await test.numbersOn('eu'), [3]);
    assert.equal((await test.keysOn('eu', 'tombstones/')).length > 0, true);
    assert.equal(await generationsOn(test, 'eu'), 1);
  });
});
