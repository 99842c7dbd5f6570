// Retention of log: what snapshots and the window need stays, what is named is nothing to go on from.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readHoldings } from '../../../src/postgres/receiver/holdings.ts';
import {
  DAY,
  idAt,
  putSegment,
  type RetentionVault,
  retentionVault,
  SYSTEM,
  segmentOf,
} from '../../support/retention.ts';
import { COMPONENT } from '../../support/vault.ts';

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
    const { components } = await test.vault.retention.plan(test.request());
    assert.deepEqual(
      components[0]?.log.map(({ cluster, words, objects }) => [cluster, words, objects]),
      [[SYSTEM, 'older than the continuous window, and no snapshot that stays needs it', 12]],
    );
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
