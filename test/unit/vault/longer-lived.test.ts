// Classes that are kept longer lend their chunks to those that are kept shorter, and never the other way round.

import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { COMPONENT, readFiles, seededBytes, snapshotId, takeSnapshot, testVault } from '../../support/vault.ts';

const files = { 'base/1': seededBytes('one', 400_000), 'base/2': seededBytes('two', 300_000) };
const changed = { ...files, 'base/3': seededBytes('three', 200_000) };
const incremental = { class: 'incremental', longerLived: ['full'] };

describe('a snapshot of a class that is kept shorter', () => {
  it('stores only what the longer-lived class has not, and is read whole from both', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    const full = await takeSnapshot(test.vault, files, 1);
    const taken = await takeSnapshot(test.vault, changed, 2, incremental);
    assert.notEqual(taken.generation, full.generation);
    assert.ok(taken.statistics.newBytes < 210_000, `${taken.statistics.newBytes} bytes were new`);
    for (const copy of ['local', 'eu']) {
      const reader = await (await test.reopen()).openSnapshot(taken.id, copy);
      assert.deepEqual(await readFiles(reader), changed);
      reader.close();
    }
  });

  it('is brought to a copy that lacks both generations', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    await takeSnapshot(test.vault, files, 1);
    await takeSnapshot(test.vault, changed, 2, incremental);
    await rm(join(test.path('eu'), 'database'), { recursive: true });
    const vault = await test.reopen();
    await vault.catchUp('eu');
    await rm(join(test.path('local'), 'database'), { recursive: true });
    assert.deepEqual(await readFiles(await vault.openSnapshot(snapshotId(2), 'eu')), changed);
    await vault.verifyCopy(COMPONENT, snapshotId(2), 'eu');
  });

  it('lends nothing to a class that is kept longer', async () => {
    await using test = await testVault();
    const short = await takeSnapshot(test.vault, changed, 1, { class: 'incremental' });
    const full = await takeSnapshot(test.vault, changed, 2);
    assert.equal(full.statistics.newBytes, short.statistics.newBytes);
    const generations = join(test.path('local'), 'database/main/generations');
    for (const name of await readdir(generations)) {
      if (name.startsWith('incremental-')) await rm(join(generations, name), { recursive: true });
    }
    assert.deepEqual(await readFiles(await (await test.reopen()).openSnapshot(full.id)), changed);
  });

  it('is not whole on a copy that lost the longer-lived generation', async () => {
    await using test = await testVault();
    const full = await takeSnapshot(test.vault, files, 1);
    await takeSnapshot(test.vault, changed, 2, incremental);
    await rm(join(test.path('local'), 'database/main/generations', full.generation, 'packs'), { recursive: true });
    const vault = await test.reopen();
    await assert.rejects(vault.verifyCopy(COMPONENT, snapshotId(2), 'local'), { code: 'OBJECT_MISSING' });
  });
});
