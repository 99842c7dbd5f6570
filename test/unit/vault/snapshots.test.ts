// Snapshots through the whole vault: what goes in comes out, nothing is stored twice, a repeated attempt converges.

import assert from 'node:assert/strict';
import { readdir, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Moment } from '../../../src/domain/moment.ts';
import type { BareEntry } from '../../../src/vault/index.ts';
import { blockable } from '../../support/blockable-store.ts';
import {
  COMPONENT,
  inPieces,
  readFiles,
  request,
  seededBytes,
  snapshotId,
  TO,
  takeSnapshot,
  testVault,
} from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const files = {
  'base/1/1259': seededBytes('relation', 400_000),
  'base/1/empty': Buffer.alloc(0),
  'base/1/zeros': Buffer.alloc(300_000),
  PG_VERSION: Buffer.from('17\n'),
  'global/text': Buffer.from('some text that compresses well, line after line\n'.repeat(20_000)),
};

const isPack = (path: string) => /packs\/..\/[0-9a-f]{64}$/.test(path);

describe('snapshots', () => {
  it('gives back every file as it was taken, in order, with its metadata', async () => {
    await using test = await testVault({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 } });
    const taken = await takeSnapshot(test.vault, files);
    assert.deepEqual(taken.copies, { local: 'present', eu: 'present' });
    assert.equal(taken.sequence, 1);
    assert.equal(taken.statistics.files, 5);
    for (const from of ['local', 'eu']) {
      const reader = await (await test.reopen()).openSnapshot(taken.id, from);
      assert.deepEqual(await readFiles(reader), files);
      const paths = [];
      for await (const entry of reader.entries()) paths.push(`${entry.type} ${entry.path} ${entry.mode.toString(8)}`);
      assert.deepEqual(paths, [
        'directory base 700',
        ...Object.keys(files).map((path) => `file ${path} 600`),
        'symlink pg_wal 777',
      ]);
      assert.deepEqual(reader.snapshot.engine, { systemId: '7' });
    }
  });

  it('stores only what is new in its generation, and starts another when that is old', async () => {
    await using test = await testVault();
    const first = await takeSnapshot(test.vault, files, 1);
    const changed = { ...files, 'base/1/1259': Buffer.from(files['base/1/1259']) };
    changed['base/1/1259'].writeUInt8(1, 70_000);
    const second = await takeSnapshot(await test.reopen(), changed, 2);
    assert.equal(second.generation, first.generation);
    assert.equal(second.sequence, 2);
    assert.ok(second.statistics.newBytes < 80_000, `stored ${second.statistics.newBytes} plain bytes again`);
    const later = '2026-11-30T06:14:08.000000Z' as Moment;
    const third = await takeSnapshot(test.vault, files, 3, { from: later }, later);
    assert.notEqual(third.generation, first.generation);
    assert.equal(third.statistics.newBytes, first.statistics.newBytes);
    assert.deepEqual(await readFiles(await test.vault.openSnapshot(snapshotId(2))), changed);
    assert.deepEqual(
      (await test.vault.listSnapshots(COMPONENT)).map((each) => each.sequence),
      [3, 2, 1],
    );
  });

  it('shows nothing before the commit, and reuses what an abandoned attempt stored', async () => {
    await using test = await testVault();
    // Each thread fills a pack of its own, so that this much fills at least one, however it is shared out.
    const big = seededBytes('big', (Math.min(2, availableParallelism()) * 32 + 8) * 1024 * 1024);
    const writer = await test.vault.writeSnapshot(request(1));
    let stored = 0;
    try {
      await writer.addFile(
        { path: 'base/big', mode: 0o600, mtimeSeconds: 0, chunking: 'pages' },
        inPieces(big, 1 << 20),
      );
      const packs = join(test.path('local'), 'database/main/generations');
      await waitFor('a pack that is complete', async () => {
        const names = (await readdir(packs, { recursive: true })).filter(isPack);
        const sizes = await Promise.all(names.map(async (name) => (await stat(join(packs, name))).size));
        stored = sizes.reduce((sum, size) => sum + size, 0);
        return stored > 0;
      });
    } finally {
      await writer.abandon();
    }
    assert.deepEqual(await test.vault.listSnapshots(), []);
    const again = await takeSnapshot(await test.reopen(), { 'base/big': big });
    const most = big.length - 0.96 * stored;
    assert.ok(
      again.statistics.newBytes < most,
      `${again.statistics.newBytes} bytes were stored, at most ${most} are new`,
    );
    assert.deepEqual(await readFiles(await test.vault.openSnapshot(again.id)), { 'base/big': big });
  });

  it('returns the committed snapshot to an attempt that repeats it, and completes the copy that lacks it', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    const first = await takeSnapshot(test.vault, files);
    await rm(join(test.path('eu'), 'database'), { recursive: true });
    const ready: string[] = [];
    const vault = await test.reopen();
    const completed = await vault.completeSnapshot(COMPONENT, first.id, async (copy) => void ready.push(copy));
    assert.deepEqual(completed?.copies, { local: 'present', eu: 'present' });
    assert.deepEqual(ready, ['eu']);
    const repeated = await takeSnapshot(vault, { other: Buffer.from('other') });
    assert.equal(repeated.sequence, 1);
    assert.equal((await vault.listSnapshots()).length, 1);
    assert.deepEqual(await readFiles(await vault.openSnapshot(first.id, 'eu')), files);
    assert.equal(await vault.completeSnapshot(COMPONENT, snapshotId(9)), undefined);
  });

  it('asks each copy for its log before the manifest, and leaves a copy behind that has none', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    const writer = await test.vault.writeSnapshot(request(1));
    await writer.addFile({ path: 'a', mode: 0o600, mtimeSeconds: 0 }, inPieces(Buffer.from('a')));
    const ready = async (copy: string) => {
      assert.deepEqual(await test.vault.listSnapshots(), []);
      if (copy === 'eu') throw new Error('the log is not there');
    };
    const taken = await writer.commit({ to: TO, state: 'clean', engine: {}, ready });
    assert.deepEqual(taken.copies, { local: 'present', eu: 'absent' });
    assert.deepEqual((await test.vault.listSnapshots())[0]?.copies, { local: 'present', eu: 'absent' });
    await test.vault.catchUp('eu');
    assert.deepEqual((await test.vault.listSnapshots())[0]?.copies, { local: 'present', eu: 'present' });
  });

  it('commits no entry that a reader would refuse, whenever it is known', async () => {
    await using test = await testVault();
    const entry = { path: 'srv/socket', type: 'socket', mode: 0o755, mtimeSeconds: 1 } as unknown as BareEntry;
    for (const [number, added] of [
      entry,
      () => entry,
      { ...entry, type: undefined } as unknown as BareEntry,
    ].entries()) {
      const writer = await test.vault.writeSnapshot(request(number + 1));
      await writer.addEntry(added);
      await assert.rejects(writer.commit({ to: TO, state: 'clean', engine: {} }), {
        code: 'INTERNAL',
        message: /'srv\/socket' would be no entry/,
      });
      await writer.abandon();
    }
    assert.deepEqual(await test.vault.listSnapshots(COMPONENT), []);
  });

  it('refuses to commit what ends before it starts', async () => {
    await using test = await testVault();
    const late = '2026-11-23T07:00:00.000000Z' as Moment;
    await assert.rejects(takeSnapshot(test.vault, {}, 1, { from: late }), { code: 'OBJECT_DAMAGED' });
    assert.deepEqual(await test.vault.listSnapshots(), []);
  });

  it('refuses at the start what the policy cannot hold', async () => {
    await using test = await testVault({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 } });
    await rm(test.path('eu'), { recursive: true });
    await assert.rejects((await test.reopen()).writeSnapshot(request(1)), {
      code: 'POLICY_UNMET',
      message: "a snapshot cannot be taken: only 'local' can hold it, the policy asks for 2 copies, 1 of them off-site",
    });
  });

  it('is taken without a copy that went away after it had answered', async () => {
    const network = blockable();
    await using test = await testVault({ copies: ['local', 'eu'], wrap: network.wrap });
    await takeSnapshot(test.vault, files, 1);
    network.block('eu');
    const { copies } = await takeSnapshot(test.vault, files, 2);
    assert.deepEqual(copies, { local: 'present', eu: 'away' });
  });
});
