// Copies that are put back to an older state, really: directories with cp -a, a bucket by taking away what came later; with and without a memory.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { HeadsReport } from '../../../src/domain/copies-report.ts';
import { deletionDoubt, headFindings } from '../../../src/domain/put-back-words.ts';
import { memoryPath } from '../../../src/host/heads-memory.ts';
import { acceptPutBack, observeHeads } from '../../../src/host/put-back.ts';
import { FileStore } from '../../../src/stores/file-store.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { testS3, wholeFile } from '../../support/components.ts';
import { putSegment, retentionVault } from '../../support/retention.ts';
import { COMPONENT, seededBytes, snapshotId, type TestVault, takeSnapshot, testVault } from '../../support/vault.ts';

const run = promisify(execFile);
const backup = ({ vault }: TestVault, number: number) =>
  takeSnapshot(vault, { [`base/${number}`]: seededBytes(`file ${number}`, 20_000) }, number);
const stateOf = ({ directory }: TestVault) => join(directory, 'state');
/** As a process that starts now: nothing is remembered in memory. */
const look = async (test: TestVault) => observeHeads(await test.reopen(), stateOf(test));
const states = ({ putBack }: { putBack: readonly { copy: string; state: string }[] }) =>
  putBack.map(({ copy, state }) => `${copy} ${state}`);

async function keepAside(test: TestVault, copy: string): Promise<void> {
  await run('cp', ['-a', test.path(copy), `${test.path(copy)}.older`]);
}

/** What is in the directory, not the directory: a store leaves alone what was exchanged under it until its process is started anew. */
async function putBack(test: TestVault, copy: string): Promise<void> {
  for (const name of await readdir(test.path(copy))) await rm(join(test.path(copy), name), { recursive: true });
  await run('cp', ['-a', `${test.path(copy)}.older/.`, test.path(copy)]);
}

/** Two snapshots are kept aside, two more follow, and this host has seen them. */
async function fourSnapshots(): Promise<TestVault> {
  const test = await testVault({ copies: ['local', 'eu'] });
  for (const number of [1, 2]) await backup(test, number);
  for (const copy of ['local', 'eu']) await keepAside(test, copy);
  for (const number of [3, 4]) await backup(test, number);
  assert.equal((await look(test)).memory.state, 'new');
  return test;
}

describe('a copy that was put back', () => {
  it('is noticed and named, stops deletions, and catch-up repairs it', async () => {
    await using test = await fourSnapshots();
    await putBack(test, 'eu');
    const report = await look(test);
    assert.deepEqual(states(report), ['eu open']);
    assert.deepEqual(report.putBack[0]?.gone, [], 'the other copy has them');
    const [finding] = headFindings(report);
    assert.equal(finding?.severity, 'late');
    assert.match(
      finding?.message ?? '',
      /^copy eu was put back: at .* showed snapshots up to 20261123T061407Z-00000002 \(number 2\) of database\/main, after this host had seen 20261123T061407Z-00000004 \(number 4\) there$/,
    );
    assert.match(finding?.hint ?? '', /`holdfast copies catch-up eu` brings back/);
    assert.equal(deletionDoubt(report)?.code, 'RETENTION_DOUBT');

    await (await test.reopen()).catchUp('eu');
    const repaired = await look(test);
    assert.deepEqual(states(repaired), ['eu repaired']);
    assert.equal(headFindings(repaired)[0]?.severity, 'warning');
    assert.equal(deletionDoubt(repaired), undefined);

    await acceptPutBack(await test.reopen(), repaired.putBack, 'anna');
    assert.deepEqual(states(await look(test)), []);
  });

  it('is noticed also when a backup follows before anybody looks again', async () => {
    await using test = await fourSnapshots();
    await putBack(test, 'eu');
    assert.deepEqual(states(await look(test)), ['eu open']); // what the backup does first
    await backup(test, 5);
    assert.deepEqual(states(await look(test)), ['eu open']);
  });

  it('is noticed with every copy put back together, and what is gone is named until that is accepted', async () => {
    await using test = await fourSnapshots();
    for (const copy of ['local', 'eu']) await putBack(test, copy);
    const report = await look(test);
    assert.deepEqual(states(report).sort(), ['eu open', 'local open']);
    for (const { gone } of report.putBack) assert.deepEqual(gone, [snapshotId(3), snapshotId(4)]);
    assert.match(headFindings(report)[0]?.message ?? '', /on no copy any more: .*00000003, .*00000004$/);

    await acceptPutBack(await test.reopen(), report.putBack, 'anna');
    assert.deepEqual(states(await look(test)), []);
    await backup(test, 6);
    assert.deepEqual(states(await look(test)), []);
    for (const copy of ['local', 'eu']) await putBack(test, copy);
    assert.deepEqual(
      states(await look(test)).sort(),
      ['eu open', 'local open'],
      'another loss is not accepted by that',
    );
  });

  it('without a memory one copy is behind and all together cannot be told, which is said', async () => {
    await using test = await fourSnapshots();
    await putBack(test, 'eu');
    await rm(stateOf(test), { recursive: true });
    const report = await look(test);
    assert.deepEqual([report.putBack, report.memory.state], [[], 'new']);
    assert.deepEqual(await (await test.reopen()).copiesBehind(), ['eu']);
  });

  it('a memory that cannot be read stops deletions, and is not written over', async () => {
    await using test = await fourSnapshots();
    const file = memoryPath(stateOf(test), test.vault.id);
    await writeFile(file, '{"format":1,');
    const report = await look(test);
    assert.equal(report.memory.state, 'unknown');
    assert.match(deletionDoubt(report)?.message ?? '', /^whether a copy was put back is not known/);
    assert.equal(await readFile(file, 'utf8'), '{"format":1,');
  });

  it('a copy that is taken back to before its first snapshot shows nothing', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    await keepAside(test, 'eu');
    await backup(test, 1);
    await look(test);
    await putBack(test, 'eu');
    const [found] = (await look(test)).putBack;
    assert.deepEqual([found?.copy, found?.shown, found?.lost.id], ['eu', undefined, snapshotId(1)]);
  });
});

describe('what is no copy that was put back', () => {
  it('lag and catch-up', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    await backup(test, 1);
    await look(test);
    const [local] = test.options.copies;
    assert.ok(local);
    const alone = await test.reopen({ copies: [local] });
    await takeSnapshot(alone, { 'base/2': seededBytes('file 2', 20_000) }, 2);
    const lagging = await look(test);
    assert.deepEqual(headFindings(lagging), []);
    assert.equal(deletionDoubt(lagging), undefined);
    await (await test.reopen()).catchUp('eu');
    assert.deepEqual(headFindings(await look(test)), []);
  });

  it('a copy that moved to another store', async () => {
    await using test = await fourSnapshots();
    const copies = test.options.copies.map(({ description, store }) => ({
      store,
      description: description.name === 'eu' ? { ...description, location: 'elsewhere' } : description,
    }));
    await putBack(test, 'eu');
    const moved = await test.reopen({ copies });
    assert.deepEqual((await observeHeads(moved, stateOf(test))).putBack, []);
  });

  it('retention, from the mark to the end of the tombstone', async () => {
    await using test = await retentionVault({ rules: { full: { last: 1 } } });
    const see = async () => {
      const report = await observeHeads(test.vault, join(test.directory, 'state'));
      assert.deepEqual(headFindings(report), []);
    };
    for (const [number] of [1, 2, 3].entries()) {
      for (const copy of ['local', 'eu']) await putSegment(test.vault, copy, number + 1, test.clock.now);
      await test.backup(number + 1);
      await see();
      test.pass(10);
    }
    for (let runs = 0; runs < 4; runs++) {
      await test.apply();
      await see();
      test.pass(10);
    }
    assert.deepEqual(await test.numbersOn('eu'), [3], 'retention took the others');
  });

  it('two copies that were parted are a fork: told, and no loss', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    await backup(test, 1);
    await look(test);
    for (const [index, copy] of test.options.copies.entries()) {
      const alone = await test.reopen({ copies: [copy] });
      await takeSnapshot(alone, { base: seededBytes(`${index}`, 20_000) }, 2 + index);
    }
    const report = await look(test);
    assert.deepEqual(report.putBack, []);
    const [ours, theirs] = [snapshotId(2), snapshotId(3)];
    const fork = { component: COMPONENT, sequence: 2, ids: [ours, theirs] };
    const copies = { [ours]: ['local'], [theirs]: ['eu'] };
    assert.deepEqual(report.forks, [{ ...fork, copies, apart: ['eu', 'local'] }]);
    assert.deepEqual(severities(report), ['warning']);
    const vault = await test.reopen();
    for (const copy of ['local', 'eu']) await vault.catchUp(copy);
    const healed = await look(test);
    assert.deepEqual([healed.forks[0]?.apart, severities(healed)], [[], ['hint']]);
  });
});

const severities = (report: HeadsReport) => headFindings(report).map(({ severity }) => severity);

it('a bucket that was put back is noticed and repaired', async () => {
  const server = await testS3(wholeFile);
  await server.createBucket('put-back');
  const { region, endpoint, accessKeyId, secretAccessKey } = server;
  const credentials = async () => ({ accessKeyId, secretAccessKey });
  const eu = new S3Store('eu', { bucket: 'put-back', prefix: 'vault', region, endpoint, credentials });
  await using test = await testVault({
    copies: ['local', 'eu'],
    store: async (name, directory) => (name === 'eu' ? eu : new FileStore(name, directory)),
  });
  const keys = async () => {
    const all: string[] = [];
    for await (const { key } of eu.list('')) all.push(key);
    return all;
  };
  await backup(test, 1);
  const older = new Set(await keys());
  await backup(test, 2);
  await look(test);
  await eu.delete((await keys()).filter((key) => !older.has(key)));
  assert.deepEqual(states(await look(test)), ['eu open']);
  await (await test.reopen()).catchUp('eu');
  assert.deepEqual(states(await look(test)), ['eu repaired']);
});
