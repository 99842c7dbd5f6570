// Snapshots whose files reach into another class's generation: retention, catch-up and repair leave, bring and mend what they need.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { incremental, laidOver, somePages, takeLaid, takeWhole } from '../../support/laid-over.ts';
import { assertRestored, filesOf, target } from '../../support/restore-files.ts';
import { DAY, generationsOn, idAt, type RetentionVault, retentionVault } from '../../support/retention.ts';
import { COMPONENT, type Files, seededBytes, type TestVault, testVault } from '../../support/vault.ts';
import { find, flip, PACK, stateOf } from '../../support/verify.ts';

const files: Files = { 'base/1': seededBytes('one', 900_000), 'base/2': seededBytes('two', 2_000_000) };
const overlays = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, somePages(bytes, name, 6, 1)]));
const expected = laidOver(files, overlays);

async function assertWhole({ vault }: Pick<TestVault, 'vault'>, id: SnapshotId, copy: string): Promise<void> {
  const directory = await target();
  const reader = await vault.openSnapshot(id, copy);
  await reader.restoreFiles(filesOf(reader), { directory });
  reader.close();
  await assertRestored(directory, expected);
  await vault.verifyCopy(COMPONENT, id, copy);
}

/** A full one, and one laid over it that is in a generation of its own class. */
async function two(options: Parameters<typeof testVault>[0] = {}) {
  const copies = ['local', 'eu'];
  const test = await testVault({ copies, policy: { copies: 2, offsite: 1 }, ...options });
  const full = await takeWhole(test.vault, 1, files);
  const { snapshot } = await takeLaid(test.vault, 2, full.id, overlays);
  assert.notEqual(full.generation, snapshot.generation);
  return { test, full, id: snapshot.id };
}

/** Without log, so that none is needed. */
async function backups(test: RetentionVault): Promise<{ full: SnapshotId; id: SnapshotId }> {
  const from = test.clock.now;
  const full = await takeWhole(test.vault, 1, files, { id: idAt(from, 1), from, kind: 'files' }, from);
  test.pass(0.25);
  const later = test.clock.now;
  const changes = { ...incremental, id: idAt(later, 2), from: later, kind: 'files' as const };
  const { snapshot } = await takeLaid(test.vault, 2, full.id, overlays, changes, later);
  return { full: full.id, id: snapshot.id };
}

describe('a snapshot laid over one of a class that is kept longer', () => {
  it('keeps the generation that it reaches into though every snapshot of that is gone, and no longer than it is needed', async () => {
    const rules = { full: { ageSeconds: DAY }, incremental: { ageSeconds: 30 * DAY } };
    await using test = await retentionVault({ rules });
    const { id } = await backups(test);
    test.pass(10);
    await test.backup(3);
    await test.backup(4, { class: 'incremental' });
    test.pass(3);
    const { marked } = await test.apply();
    assert.equal(marked.tombstone?.generations, 0);
    test.pass(8);
    await test.apply();
    for (const copy of ['local', 'eu']) {
      assert.deepEqual(await test.numbersOn(copy), [2, 3, 4]);
      await assertWhole(test, id, copy);
    }
    test.pass(30);
    await test.backup(5);
    await test.backup(6, { class: 'incremental' });
    await test.apply();
    test.pass(8);
    await test.apply();
    for (const copy of ['local', 'eu']) {
      assert.ok(!(await test.numbersOn(copy)).includes(2));
      assert.ok((await generationsOn(test, copy)) <= 4);
      assert.equal(await stateOf(test.vault, 'decrypted', copy), 'good');
    }
  });

  it('is brought to a copy that has nothing, with what it reaches into', async () => {
    const { test, id } = await two();
    await using _test = test;
    await rm(join(test.path('eu'), 'database'), { recursive: true });
    const vault = await test.reopen();
    await vault.catchUp('eu');
    await rm(join(test.path('local'), 'database'), { recursive: true });
    await assertWhole({ vault }, id, 'eu');
  });

  it('is brought to a copy that lacks only the generation that it reaches into', async () => {
    const { test, full, id } = await two();
    await using _test = test;
    await rm(join(test.path('eu'), 'database/main/generations', full.generation), { recursive: true });
    const before = await test.reopen();
    await assert.rejects(before.verifyCopy(COMPONENT, id, 'eu'), { code: 'OBJECT_MISSING' });
    await before.repair({ copy: 'eu', run: 'repair-1' });
    await assertWhole({ vault: await test.reopen() }, id, 'eu');
  });

  it('is told damaged, read from the other copy and mended, when a pack that it reaches into is damaged', async () => {
    const { test, id } = await two();
    await using _test = test;
    const pack = await find(test, PACK, 'eu', 2_000_000);
    await flip(pack, 700_000);
    assert.equal(await stateOf(test.vault, 'decrypted', 'eu'), 'damaged');
    await assertWhole(test, id, 'local');
    const directory = await target();
    const reader = await test.vault.openSnapshot(id, 'eu');
    await reader.restoreFiles(filesOf(reader), { directory });
    reader.close();
    await assertRestored(directory, expected);
    const report = await test.vault.repair({ copy: 'eu', run: 'repair-1' });
    assert.equal(report.repaired.length, 1);
    assert.equal(await stateOf(test.vault, 'decrypted', 'eu'), 'good');
    await assertWhole(test, id, 'eu');
  });
});
