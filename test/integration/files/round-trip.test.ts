// Trees through the vault and back: what comes back is what was there, in every respect that rsync and find can see.

import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rename, rm, stat, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fail } from '../../../src/errors/index.ts';
import { captureFiles, type FilesDetails, writeTree } from '../../../src/files/index.ts';
import { setTimes } from '../../../src/system/index.ts';
import type { SnapshotId, SnapshotOnCopies } from '../../../src/vault/index.ts';
import { differences, makeAwkwardTree } from '../../support/file-trees.ts';
import { rescue, runtimes, takeRescue } from '../../support/rescue.ts';
import { seededBytes, snapshotId, type TestVault, testVault } from '../../support/vault.ts';

const COMPONENT = 'files/uploads';
const rules = { exclude: [], oneFileSystem: true, cacheTags: true };

describe('a tree through the vault', () => {
  let base: string;
  let source: string;
  let test: TestVault;
  let number = 1;

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-files-'));
    source = join(base, 'source');
    await mkdir(source);
    await makeAwkwardTree(source);
    test = await testVault();
  });
  after(async () => {
    await rm(base, { recursive: true, force: true });
    await test[Symbol.asyncDispose]();
  });

  const capture = (): Promise<SnapshotOnCopies> =>
    captureFiles({
      vault: test.vault,
      source: { roots: [source], rules },
      request: { snapshotId: snapshotId(number++), component: COMPONENT, class: 'files', host: 'here' },
      signal: AbortSignal.timeout(600_000),
    });

  const giveBack = async (id: SnapshotId, selection = {}) => {
    const directory = await mkdtemp(join(base, 'back-'));
    const reader = await test.vault.openSnapshot(id);
    try {
      const signal = AbortSignal.timeout(600_000);
      const written = await writeTree({ reader, directory, selection, signal });
      return { written, place: join(directory, source.slice(1)), directory };
    } finally {
      reader.close();
    }
  };

  it('comes back as it was', async () => {
    const snapshot = await capture();
    const details = snapshot.engine as unknown as FilesDetails;
    assert.deepEqual(details.unseen, { count: 0, first: [] });
    assert.equal(snapshot.state, 'clean');
    const { place, written } = await giveBack(snapshot.id);
    assert.deepEqual(written.lacking, { count: 0, first: [] });
    assert.deepEqual(await differences(source, place), []);
    const holes = await stat(join(place, 'holes'));
    assert.ok(holes.blocks * 512 < 1024 * 1024, `${holes.blocks} blocks`);
  });

  it('is compared by an eye that sees what differs', async () => {
    const { place } = await giveBack((await test.vault.listSnapshots(COMPONENT))[0]?.id as SnapshotId);
    await writeFile(join(place, 'plain/nothing'), 'x');
    await unlink(join(place, 'zz-same'));
    await writeFile(join(place, 'zz-same'), 'small\n');
    await chmod(join(place, 'empty'), 0o700);
    const seen = (await differences(source, place)).join('\n');
    for (const name of ['plain/nothing', 'zz-same', 'empty/']) assert.match(seen, new RegExp(name));
  });

  it('is not read again where nothing changed, once the clock has left its last change behind', async () => {
    const newest = (await stat(join(source, 'plain/small'))).ctimeMs;
    while (Date.now() < newest + 2_100) await new Promise((resolve) => setTimeout(resolve, 100));
    const settled = await capture();
    const unchanged = await capture();
    assert.equal(unchanged.statistics.readBytes, 0);
    const details = unchanged.engine as unknown as FilesDetails;
    assert.equal(details.unchangedFiles, details.files);
    const countsOf = ({ files, directories, others, sizeBytes }: FilesDetails) => ({
      files,
      directories,
      others,
      sizeBytes,
    });
    const first = (await test.vault.listSnapshots(COMPONENT)).at(-1);
    for (const each of [first, settled])
      assert.deepEqual(countsOf(details), countsOf(each?.engine as unknown as FilesDetails));
    assert.ok(details.others > 2);
    assert.deepEqual(await differences(source, (await giveBack(unchanged.id)).place), []);
  });

  it('follows what changed: content, names, types, attributes, what is gone', async () => {
    await writeFile(join(source, 'plain/nothing'), 'something');
    await truncate(join(source, 'plain/deep/large'), 5 * 1024 * 1024);
    setTimes(join(source, 'plain/deep/large'), { atimeNs: 0n, mtimeNs: -86_400_000_000_000n });
    await rename(join(source, 'äöü 漢字 🐘'), join(source, 'plain/renamed'));
    await rm(join(source, 'empty'), { recursive: true });
    await symlink('plain', join(source, 'empty'));
    await unlink(join(source, 'link'));
    await mkdir(join(source, 'link'));
    await writeFile(join(source, 'link/now'), seededBytes('now', 70_000));
    await chmod(join(source, 'plain/deep/deeper/middle'), 0o600);
    const snapshot = await capture();
    assert.ok(snapshot.statistics.readBytes < 6 * 1024 * 1024, `${snapshot.statistics.readBytes} bytes read`);
    assert.deepEqual(await differences(source, (await giveBack(snapshot.id)).place), []);
  });

  it('is not captured where its root is empty by now, as the place of a disk that is not mounted is; and says how many files there were', async () => {
    const root = join(base, 'mounted');
    await mkdir(root);
    const of = (): Promise<SnapshotOnCopies> =>
      captureFiles({
        vault: test.vault,
        source: { roots: [root], rules },
        request: { snapshotId: snapshotId(number++), component: 'files/disk', class: 'files', host: 'here' },
        signal: AbortSignal.timeout(600_000),
      });
    await of(); // empty from the beginning is as it is
    for (const name of ['one', 'two', 'three']) await writeFile(join(root, name), name);
    await of();
    await rm(join(root, 'one'));
    await rm(join(root, 'two'));
    const { files, filesBefore } = (await of()).engine as unknown as FilesDetails;
    assert.deepEqual([files, filesBefore], [1, 3]);
    await rm(join(root, 'three'));
    await assert.rejects(of(), { code: 'FILES_ROOT' });
  });

  it('is captured without the snapshot before where that cannot be read, from its beginning or from its middle', async (t) => {
    const { vault } = test;
    const open = vault.openSnapshot.bind(vault);
    const opening = t.mock.method(vault, 'openSnapshot', () => fail('OBJECT_MISSING', 'its tree is gone'));
    const gone = await capture();
    opening.mock.mockImplementation(async (...asked: Parameters<typeof open>) => {
      const reader = await open(...asked);
      const batches = reader.entryBatches.bind(reader);
      reader.entryBatches = async function* () {
        for await (const batch of batches()) {
          yield batch.slice(0, 5);
          fail('OBJECT_DAMAGED', 'its tree is damaged');
        }
      };
      return reader;
    });
    const cutOff = await capture();
    opening.mock.restore();
    for (const [snapshot, why] of [[gone, 'its tree is gone'] as const, [cutOff, 'its tree is damaged'] as const]) {
      const details = snapshot.engine as unknown as FilesDetails;
      assert.equal(snapshot.state, 'clean');
      assert.equal(details.parentUnread, why);
      assert.ok(snapshot.statistics.readBytes > 0);
      assert.deepEqual(await differences(source, (await giveBack(snapshot.id)).place), []);
    }
  });

  it('comes back by rescue.mjs alone, in every respect but fractions of a microsecond', async () => {
    const id = (await test.vault.listSnapshots(COMPONENT))[0]?.id as SnapshotId;
    const script = await takeRescue(test.path('local'), join(base, 'bare'));
    const to = join(base, 'rescued');
    const vault = ['--vault', test.path('local'), '--key-file', test.keyFile];
    for (const runtime of (await runtimes()).slice(0, 2)) {
      const { status, said, complained } = await rescue(script, runtime, ['restore', id, '--to', to, ...vault]);
      assert.equal(status, 0, `${said}${complained}`);
      assert.deepEqual(await differences(source, join(to, source.slice(1)), 'seconds'), []);
      await rm(to, { recursive: true });
    }
  });

  it('gives back a part: a directory, and one name of a file that has several', async () => {
    const id = (await test.vault.listSnapshots(COMPONENT))[0]?.id as SnapshotId;
    const part = await giveBack(id, { paths: [join(source, 'plain/deep')] });
    assert.deepEqual(await differences(join(source, 'plain/deep'), join(part.place, 'plain/deep')), []);
    await assert.rejects(stat(join(part.place, 'holes')), { code: 'ENOENT' });
    const one = await giveBack(id, { paths: [join(source, 'zz-same')] });
    assert.equal((await stat(join(one.place, 'zz-same'))).size, 6);
    assert.equal(one.written.files, 1);
    const byPattern = await giveBack(id, { patterns: ['renamed'] });
    assert.equal(byPattern.written.files, 1);
  });
});
