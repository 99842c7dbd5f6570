// What a backup asks of the stores depends on its generation, never on how many snapshots the vault has.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Moment, momentFromDate } from '../../../src/domain/moment.ts';
import type { Vault } from '../../../src/vault/index.ts';
import { type FaultKind, FaultPlan, FaultyStore } from '../../support/faulty-store.ts';
import { COMPONENT, FROM, seededBytes, snapshotId, takeSnapshot, testVault } from '../../support/vault.ts';

/** Remembers what was called, and fails nothing. */
class Calls extends FaultPlan {
  #made: string[] = [];

  override next(what: string): FaultKind | undefined {
    this.#made.push(what);
    return super.next(what);
  }

  /** Since the last time it was asked. */
  take(): string[] {
    return this.#made.splice(0);
  }
}

const DAY_MS = 86_400_000;
/** Snapshots of one generation of a database, one a day. */
const IN_GENERATION = 7;

const dayOf = (number: number): Moment => momentFromDate(new Date(Date.parse(FROM) + number * DAY_MS));

async function backup(vault: Vault, day: number): Promise<void> {
  const files = { 'base/1': seededBytes('same', 100_000), 'base/2': seededBytes(`day ${day}`, 20_000) };
  await takeSnapshot(vault, files, day + 1, { from: dayOf(day) }, dayOf(day));
}

/** By what is called and on what kind of object: `get snapshots` → 3. */
function counted(calls: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const call of calls) {
    const [verb = '', key = ''] = call.split(' ');
    const kind = /\/(snapshots|packs|indexes|key)\b/.exec(key)?.[1] ?? key.split('/')[0] ?? '';
    counts[`${verb} ${kind}`] = (counts[`${verb} ${kind}`] ?? 0) + 1;
  }
  return counts;
}

const countOf = (calls: readonly string[], what: RegExp) => calls.filter((call) => what.test(call)).length;

async function countingVault() {
  const calls = new Calls();
  const test = await testVault({
    copies: ['local', 'eu', 'us'],
    policy: { copies: 3, offsite: 1 },
    wrap: (store) => new FaultyStore(store, calls),
  });
  return { calls, test };
}

describe('the store calls of a backup', () => {
  it('are the same for the eleventh and the fifty-third snapshot, in a process that knows nothing yet', async () => {
    const { calls, test } = await countingVault();
    await using _ = test;
    const [early, late] = [IN_GENERATION + 3, 7 * IN_GENERATION + 3];
    const seen: Record<number, string[]> = {};
    for (let day = 0; day <= late; day++) {
      const vault = await test.reopen();
      calls.take();
      await backup(vault, day);
      seen[day] = calls.take();
      await vault.close();
    }
    assert.deepEqual(counted(seen[late] ?? []), counted(seen[early] ?? []));
    // What earlier snapshots committed is taken as it is: none of their packs is looked at again.
    assert.equal(countOf(seen[late] ?? [], /^(get|head) .*\/packs\//), 0);
  });

  it('read no manifest of the generation a second time in the same process', async () => {
    const { calls, test } = await countingVault();
    await using _ = test;
    const manifests: number[] = [];
    for (let day = 0; day < IN_GENERATION; day++) {
      calls.take();
      await backup(test.vault, day);
      manifests.push(countOf(calls.take(), /^get .*\/snapshots\//));
    }
    assert.equal(manifests.at(-1), manifests[2], manifests.join());
  });

  it('find one snapshot by listings and its own manifest', async () => {
    const { calls, test } = await countingVault();
    await using _ = test;
    for (let day = 0; day < 5; day++) await backup(test.vault, day);
    const vault = await test.reopen();
    calls.take();
    const found = await vault.findSnapshot(COMPONENT, snapshotId(3));
    assert.deepEqual(found?.copies, { local: 'present', eu: 'present', us: 'present' });
    assert.equal(countOf(calls.take(), /^get .*\/snapshots\//), 1);
    assert.equal(await vault.findSnapshot(COMPONENT, snapshotId(99)), undefined);
  });
});
