// Files of a snapshot on the disk: whole or not there, kept when right, and nothing outside of the target touched.

import assert from 'node:assert/strict';
import { chmod, link, lstat, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { Store } from '../../../src/stores/store.ts';
import { canSyncFileSystem } from '../../../src/vault/restore/sync.ts';
import {
  assertRestored,
  files,
  filesOf,
  MiB,
  restore,
  target,
  vaultWith,
  WatchedStore,
} from '../../support/restore-files.ts';
import { snapshotId } from '../../support/vault.ts';

describe('restoring files', () => {
  it('writes every file as it was, with mode and time, and reads little more than once what it needs', async () => {
    let store: WatchedStore | undefined;
    const wrap = (inner: Store) => (store = new WatchedStore(inner));
    await using test = await vaultWith({ wrap });
    const directory = await target();
    for (const threads of [1, 3]) {
      const place = join(directory, String(threads));
      await mkdir(place);
      const watched = store as WatchedStore;
      watched.readBytes = 0;
      const done = await restore(test.vault, place, { threads });
      const stored = (await test.vault.listSnapshots())[0]?.statistics.storedBytes ?? 0;
      assert.ok(watched.readBytes < stored * 1.3, `read ${watched.readBytes} of ${stored}`);
      await assertRestored(place);
      assert.equal(done.files, Object.keys(files).length);
      assert.equal(done.keptBytes, 0);
      const info = await stat(join(place, 'base/1/16386'));
      assert.equal(info.mode & 0o7777, 0o600);
      assert.equal(info.mtimeMs, 2000);
    }
  });

  it('keeps what is right, and writes anew what is cut, changed, linked to elsewhere or only begun', async () => {
    await using test = await vaultWith();
    const directory = await target();
    await restore(test.vault, directory);
    const outside = join(await target(), 'outside');
    await writeFile(outside, files['small/7'] as Buffer);
    await truncate(join(directory, 'base/1/16385'), 5);
    await writeFile(join(directory, 'small/5'), Buffer.alloc((files['small/5'] as Buffer).length));
    for (const name of ['small/6', 'small/7']) await rm(join(directory, name));
    await symlink(outside, join(directory, 'small/6'));
    await link(outside, join(directory, 'small/7'));
    await writeFile(join(directory, 'small/8.00000001.holdfast-part'), 'x');
    await rm(join(directory, 'small/8'));
    await chmod(join(directory, 'small/9'), 0o644);
    const kept = await lstat(join(directory, 'base/1/16386'));
    const done = await restore(test.vault, directory);
    await assertRestored(directory);
    assert.equal(done.files - done.keptFiles, 5);
    assert.equal((await lstat(join(directory, 'base/1/16386'))).ino, kept.ino);
    assert.equal((await lstat(join(directory, 'small/9'))).mode & 0o777, 0o600);
    assert.ok((await lstat(join(directory, 'small/6'))).isFile());
    assert.deepEqual(await readFile(outside), files['small/7']);
    assert.equal((await lstat(outside)).nlink, 1);
  });

  it('goes on with a large file where an earlier attempt left it, and reads only what is not right', async () => {
    let store: WatchedStore | undefined;
    const wrap = (inner: Store) => (store = new WatchedStore(inner));
    await using test = await vaultWith({ wrap });
    const directory = await target();
    await mkdir(join(directory, 'base/1'), { recursive: true });
    const part = Buffer.from(files['base/1/16386'] as Buffer);
    part.fill(0, 10 * MiB, 12 * MiB);
    await writeFile(join(directory, 'base/1/16386.00000001.holdfast-part'), part);
    const watched = store as WatchedStore;
    watched.readBytes = 0;
    await restore(test.vault, directory);
    await assertRestored(directory);
    assert.ok(watched.readBytes < 15 * MiB, `read ${watched.readBytes}`);
  });

  it('does not leave its target by a link that lies in the way', async () => {
    await using test = await vaultWith();
    const [directory, elsewhere] = [await target(), await target()];
    await symlink(elsewhere, join(directory, 'small'));
    await assert.rejects(restore(test.vault, directory), { code: 'TARGET_UNFIT' });
    assert.deepEqual(await readdir(elsewhere), []);
  });

  it('refuses an entry that names a place outside', async () => {
    await using test = await vaultWith();
    const directory = await target();
    const reader = await test.vault.openSnapshot(snapshotId(1));
    for (const path of ['../x', '/x', 'a//b', 'a/./b', '']) {
      const outside = async function* () {
        for await (const { entry } of filesOf(reader)) yield { entry, path };
      };
      await assert.rejects(reader.restoreFiles(outside(), { directory }), { code: 'OBJECT_DAMAGED' }, path);
    }
    assert.deepEqual(await readdir(dirname(directory)).then((names) => names.includes('x')), false);
  });

  it('syncs each file where the kernel would not tell of failed writes', async () => {
    assert.equal(canSyncFileSystem('linux', '5.7.19'), false);
    assert.equal(canSyncFileSystem('linux', '5.8.0-generic'), true);
    assert.equal(canSyncFileSystem('linux', '6.1'), true);
    assert.equal(canSyncFileSystem('darwin', '24.0.0'), false);
    await using test = await vaultWith();
    const directory = await target();
    await restore(test.vault, directory, { sync: 'each' });
    await assertRestored(directory);
    const again = await restore(test.vault, directory, { sync: 'each' });
    assert.equal(again.keptFiles, again.files);
  });
});
