// A worker whose clock is wrong by days takes base backups all the same: what they are of is told by the server's clock.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { PhysicalDetails } from '../../../src/postgres/types.ts';
import { run } from '../../../src/process/index.ts';
import { Restores } from '../../support/recovery-run.ts';
import { component, startRecoverySource } from '../../support/recovery-source.ts';
import { snapshotId } from '../../support/vault.ts';

const days = (count: number) => count * 86_400_000;

test('base backups of a worker whose clock is five days ahead, and then behind, are found and used by the moments of the server', async (t) => {
  const source = await startRecoverySource(t, { major: 18, settings: { summarize_wal: 'on' } });
  const { server, holder, vault } = source;
  const restores = await Restores.of(t, source);
  const args = [
    '--import',
    path.resolve('test/support/shift-clock.ts'),
    'test/support/capture-and-die.ts',
    server.url(),
  ];
  const spool = path.join(holder.directory, 'parents');

  async function take(number: number, shiftMs: number, ...more: string[]): Promise<PhysicalDetails> {
    const { time: before } = await source.mark();
    const program = [...args, holder.keyFile, holder.path('local'), String(number), ...more];
    const { stdout } = await run(process.execPath, program, { env: { SHIFT_CLOCK_MS: String(shiftMs) } });
    assert.equal(stdout, 'finished\n');
    const { time: after } = await source.mark();
    const [snapshot] = (await vault.listSnapshots(component)).filter(({ id }) => id === snapshotId(number));
    assert.ok(snapshot);
    assert.ok(before <= snapshot.from && snapshot.from < snapshot.to && snapshot.to <= after, JSON.stringify(snapshot));
    return snapshot.engine as PhysicalDetails;
  }

  await source.commit();
  assert.equal((await take(1, days(5))).capture, 'full');
  const first = await source.commit();
  const { capture, fullBecause } = await take(2, days(-5), spool);
  assert.deepEqual([capture, fullBecause], ['incremental', undefined]);
  const second = await source.commit();
  await source.commit();
  await source.ship();
  for (const [commit, base] of [
    [first, 1],
    [second, 2],
  ] as const) {
    const plan = await restores.plan({ target: { type: 'time', moment: commit.time } });
    assert.equal(plan.base.snapshot, snapshotId(base));
    await restores.recover(plan);
    const [row] = await restores.query<{ last: number }>(plan, 'select max(id) as last from ledger');
    assert.equal(Number(row?.last), commit.id);
    await restores.stop(plan);
  }
});
