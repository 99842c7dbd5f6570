// The whole chain on a real server: base backup and receiver into two copies, a restore in place, the log going on along the new timeline.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { ServiceSettings } from '../../../config/types.ts';
import { slotName } from '../../../src/domain/ids.ts';
import type { Lsn } from '../../../src/domain/lsn.ts';
import { takeBaseBackup } from '../../../src/postgres/backup/index.ts';
import { ensureSlot, startReceiver } from '../../../src/postgres/receiver/index.ts';
import {
  awaitTarget,
  checkRecovered,
  confirmRestore,
  fetchBase,
  planRestore,
  prepareProduction,
  prepareWork,
  promote,
  proveRecovery,
  resolveTarget,
  swapIn,
  verifyProduction,
  windows,
} from '../../../src/postgres/recovery/index.ts';
import type { RequestedTarget } from '../../../src/postgres/types.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { configurationFor, databaseFor, guard, logger, Restores } from '../../support/recovery-run.ts';
import { component, startRecoverySource } from '../../support/recovery-source.ts';
import { type ScratchPostgres, serverUser } from '../../support/scratch-postgres.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

/** One major by `pg_ctl`, the other by commands as a host has them. */
function serviceOf({ major, bin, dataDirectory, directory }: ScratchPostgres): ServiceSettings {
  const logFile = path.join(directory, 'server.log');
  if (major > 15) return { pgCtl: { logFile } };
  const become = serverUser.runAs
    ? `setpriv --reuid=${serverUser.runAs} --regid=${serverUser.runAs} --init-groups `
    : '';
  const control = `cd / && ${become}${bin('pg_ctl')} -D ${dataDirectory} -w`;
  return {
    commands: { start: `${control} -l ${logFile} start`, stop: `${control} -m fast stop`, status: `${control} status` },
  };
}

for (const major of [15, 17, 18]) {
  test(`PostgreSQL ${major} is lost to a bad statement, restored in place to just before it, and every branch of its log stays recoverable`, async (t) => {
    const stateDirectory = await temporaryDirectory(t);
    const origin = await startRecoverySource(t, {
      major,
      settings: { wal_keep_size: '0' },
      vault: { copies: ['local', 'far'], policy: { copies: 2, offsite: 1 } },
    });
    const { server, vault } = origin;
    const source = { component, url: server.url() };
    const slot = slotName('acme', 'main');
    await ensureSlot(source, slot, { immediatelyReserve: true });
    const receiver = startReceiver({
      source,
      component,
      slot,
      vault,
      policy: vault.policy,
      copies: vault.copies,
      stateDirectory,
      logger,
      flushEveryMs: 100,
      markEveryMs: 200,
      mayDeclareLoss: () => false,
    });
    t.after(() => receiver.stop());
    const backup = (number: number) =>
      takeBaseBackup({
        source,
        vault,
        request: { snapshotId: `20261123T061407Z-0000000${number}` as SnapshotId, component, host: 'db1' },
        waitForLog: (copy, timeline, _from, to, { signal }) => receiver.waitFor(copy, timeline, to, signal),
        signal: new AbortController().signal,
        logger,
      });
    await backup(1);
    const kept = await origin.commit();
    await server.query('checkpoint');
    const abandoned = await origin.commit();
    await server.query('delete from ledger');
    const resolve = (target: RequestedTarget, timeline?: number) =>
      resolveTarget({ vault, component, target, ...(timeline === undefined ? {} : { timeline }) });
    const whenResolved = (target: RequestedTarget) =>
      waitFor('the log to reach the moment', () => resolve(target).catch(() => undefined));
    await whenResolved({ type: 'time', moment: abandoned.time });

    const plan = await planRestore({
      vault,
      configuration: configurationFor(origin),
      database: databaseFor({
        dataDirectory: server.dataDirectory,
        service: serviceOf(server),
        checks: [{ sql: 'select count(*) from ledger', expect: '= 1' }],
      }),
      target: { type: 'time', moment: kept.time },
      place: { mode: 'in place' },
      run: 'restore-1',
      url: source.url,
    });
    await prepareWork(plan, guard);
    await fetchBase(plan, vault, guard);
    await awaitTarget(plan, vault, { logger });
    const proof = await proveRecovery(plan);
    assert.equal(proof.lastTransactionTime, kept.time);
    await prepareProduction(plan);
    const { newTimeline } = await promote(plan, guard);
    await checkRecovered(plan);
    let shippedTo: Lsn | undefined;
    await swapIn(plan, {
      ...guard,
      shipped: async ({ timeline, endLsn, clean }) => {
        assert.ok(clean);
        await receiver.waitFor('policy', timeline, endLsn);
        shippedTo = endLsn;
        return { durable: true };
      },
      verify: (expected) => verifyProduction(source, expected),
    });
    assert.ok(shippedTo);
    assert.deepEqual(
      (await server.query('select id from ledger')).map(({ id }) => Number(id)),
      [kept.id],
    );

    const born = await origin.commit();
    await whenResolved({ type: 'time', moment: born.time });
    const onNew = await resolve({ type: 'time', moment: born.time });
    assert.equal(onNew.resolved.timeline, newTimeline);
    assert.equal((await resolve({ type: 'latest' })).resolved.timeline, newTimeline);
    const gone = await resolve({ type: 'time', moment: abandoned.time });
    assert.equal(gone.resolved.timeline, 1, 'the moment belongs to the timeline that was alive then');
    assert.equal(gone.resolved.lastTransaction?.xid, abandoned.xid);
    assert.deepEqual([gone.leftBehind?.timeline, gone.leftBehind?.now], [1, newTimeline]);
    assert.equal(gone.leftBehind?.leftAt, plan.resolved.endLsn);
    assert.equal(onNew.leftBehind, undefined);
    assert.equal((await resolve({ type: 'time', moment: kept.time })).leftBehind, undefined, 'the way to the new one');
    await assert.rejects(resolve({ type: 'lsn', lsn: gone.resolved.lastRecordLsn }), { code: 'TARGET_AMBIGUOUS' });
    assert.equal((await resolve({ type: 'lsn', lsn: gone.resolved.lastRecordLsn }, 1)).resolved.timeline, 1);

    const restores = await Restores.of(t, origin);
    for (const [moment, ids] of [
      [born.time, [kept.id, born.id]],
      [abandoned.time, [kept.id, abandoned.id]],
    ] as const) {
      const beside = await restores.plan({ target: { type: 'time', moment } });
      const isLeft = moment === abandoned.time;
      assert.equal(beside.warnings.filter((warning) => /a history that was left/.test(warning)).length, isLeft ? 1 : 0);
      await restores.recover(beside);
      const rows = await restores.query<{ id: number }>(beside, 'select id from ledger order by id');
      assert.deepEqual(
        rows.map(({ id }) => Number(id)),
        ids,
      );
      await restores.stop(beside);
    }
    await confirmRestore(server.dataDirectory, plan.run, guard);
    await backup(2);
    const after = await resolve({ type: 'immediate' });
    assert.equal(after.details.timeline, newTimeline);
    for (const window of await windows(vault, component)) {
      assert.equal(window.timeline, newTimeline);
      assert.deepEqual(window.holes, []);
    }
  });
}
