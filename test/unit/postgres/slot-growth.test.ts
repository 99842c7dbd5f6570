import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { lsnFrom } from '../../../src/domain/lsn.ts';
import { SlotGrowth } from '../../../src/postgres/receiver/slot-growth.ts';

const MiB = 1024 ** 2;

/** A server that has written so much, and keeps the last of it for the slot. */
function facts(writtenMiB: number, retainedMiB: number, safeMiB?: number) {
  return {
    name: 'slot',
    active: true,
    syncState: undefined,
    state: 'ok' as const,
    restartLsn: lsnFrom(BigInt((writtenMiB - retainedMiB) * MiB)),
    serverLsn: lsnFrom(BigInt(writtenMiB * MiB)),
    retainedBytes: retainedMiB * MiB,
    safeBytes: safeMiB === undefined ? undefined : safeMiB * MiB,
  };
}

describe('how fast what a slot keeps grows', () => {
  test('is not known by one look', () => {
    const growth = new SlotGrowth();
    assert.equal(growth.pressure(undefined), undefined);
    growth.note(0, facts(1000, 200, 800));
    assert.deepEqual(growth.pressure(undefined), { slot: 'slot', retainedBytes: 200 * MiB, limitBytes: 1000 * MiB });
  });

  test('is what came between the first and the last look, with what follows for limit and disk', () => {
    const growth = new SlotGrowth();
    growth.note(0, facts(1000, 100, 900));
    growth.note(60_000, facts(1300, 400, 600));
    assert.deepEqual(growth.pressure(1000 * MiB), {
      slot: 'slot',
      retainedBytes: 400 * MiB,
      writtenBytesPerSecond: 5 * MiB,
      limitBytes: 1000 * MiB,
      lostInSeconds: 120,
      freeBytes: 1000 * MiB,
      fullInSeconds: 200,
    });
  });

  test('is no danger while the receiver keeps up, however much is written', () => {
    const growth = new SlotGrowth();
    growth.note(0, facts(1000, 10, 990));
    growth.note(60_000, facts(9000, 20, 980));
    const { lostInSeconds, fullInSeconds, writtenBytesPerSecond } = growth.pressure(MiB) ?? {};
    assert.deepEqual([lostInSeconds, fullInSeconds], [undefined, undefined]);
    assert.ok((writtenBytesPerSecond ?? 0) > 100 * MiB);
  });

  test('forgets what is older than some minutes, and everything of a slot that is gone', () => {
    const growth = new SlotGrowth();
    growth.note(0, facts(1000, 900, 100));
    growth.note(400_000, facts(1000, 100, 900));
    growth.note(430_000, facts(1060, 160, 840));
    assert.equal(growth.pressure(undefined)?.lostInSeconds, 420);
    growth.note(440_000, undefined);
    assert.equal(growth.pressure(undefined), undefined);
  });
});
