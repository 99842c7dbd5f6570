// Files of a snapshot on the disk: whole or not there, kept when right, and nothing outside of the target touched.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import type { Worker } from 'node:worker_threads';
import type { ByteRange, GetOptions, Store } from '../../../src/stores/store.ts';
import type { RestoredFiles, RestoreFilesOptions, SnapshotReader, TreeEntry, Vault } from '../../../src/vault/index.ts';
import { canSyncFileSystem } from '../../../src/vault/restore/sync.ts';
import { FaultPlan, FaultyStore } from '../../support/faulty-store.ts';
import { type Files, seededBytes, snapshotId, type TestVault, takeSnapshot, testVault } from '../../support/vault.ts';

const MiB = 1024 * 1024;
const small = Object.fromEntries(
  Array.from({ length: 60 }, (_, number) => [`small/${number}`, seededBytes(`small ${number}`, number * 997)]),
);
const files: Files = {
  ...small,
  // What an earlier restore left unfinished, and a later snapshot took along.
  'small/7.00000009.holdfast-part': seededBytes('left', 5000),
  'base/1/16384': seededBytes('relation', 3 * MiB),
  'base/1/16385': Buffer.alloc(20 * MiB, seededBytes('repeated', 70_000)),
  'base/1/16386': seededBytes('large', 30 * MiB),
  empty: Buffer.alloc(0),
};

async function* filesOf(reader: SnapshotReader): AsyncGenerator<{ entry: TreeEntry }> {
  for await (const entry of reader.entries()) if (entry.type === 'file') yield { entry };
}

async function restore(
  vault: Vault,
  directory: string,
  options: Partial<RestoreFilesOptions> & { from?: string } = {},
): Promise<RestoredFiles> {
  const { from, ...rest } = options;
  const reader = await vault.openSnapshot(snapshotId(1), from);
  try {
    return await reader.restoreFiles(filesOf(reader), { directory, ...rest });
  } finally {
    reader.close();
  }
}

async function contentOf(directory: string): Promise<Files> {
  const found: Record<string, Buffer> = {};
  for (const item of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!item.isFile()) continue;
    const path = join(item.parentPath, item.name);
    found[path.slice(directory.length + 1)] = await readFile(path);
  }
  return found;
}

async function assertRestored(directory: string, expected: Files = files): Promise<void> {
  const found = await contentOf(directory);
  assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
  for (const [path, bytes] of Object.entries(expected)) assert.ok(found[path]?.equals(bytes), `${path} is other`);
}

const directories: string[] = [];

async function target(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-restore-'));
  directories.push(directory);
  return directory;
}

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function vaultWith(options: Parameters<typeof testVault>[0] = {}): Promise<TestVault> {
  const test = await testVault(options);
  await takeSnapshot(test.vault, files);
  return test;
}

async function packsOf(test: TestVault, copy: string): Promise<string[]> {
  const names = await readdir(test.path(copy), { recursive: true });
  return names.filter((name) => /packs\/..\/[0-9a-f]{64}$/.test(name)).map((name) => join(test.path(copy), name));
}

/** Counts what is read of packs, and may do something before. */
class WatchedStore extends FaultyStore {
  readBytes = 0;
  beforePack: ((key: string) => Promise<void>) | undefined;

  constructor(store: Store) {
    super(store, new FaultPlan());
  }

  override async get(key: string, range?: ByteRange, options?: GetOptions): Promise<Buffer> {
    if (key.includes('/packs/')) await this.beforePack?.(key);
    const bytes = await super.get(key, range, options);
    if (key.includes('/packs/')) this.readBytes += bytes.length;
    return bytes;
  }
}

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

describe('restoring files from copies with damage', () => {
  const harms: Record<string, (pack: string) => Promise<void>> = {
    'is gone': (pack) => rm(pack),
    'was cut short': (pack) => truncate(pack, 100_000),
    'has other bytes': async (pack) => writeFile(pack, (await readFile(pack)).fill(7, 41)),
    'has another beginning': async (pack) => writeFile(pack, (await readFile(pack)).fill(7, 0, 40)),
  };
  for (const [name, harm] of Object.entries(harms)) {
    it(`takes from the other copy what the preferred one's pack lacks, when it ${name} in the middle`, async () => {
      const stores: WatchedStore[] = [];
      const wrap = (inner: Store) => {
        const store = new WatchedStore(inner);
        stores.push(store);
        return store;
      };
      await using test = await vaultWith({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 }, wrap });
      const reader = await test.vault.openSnapshot(snapshotId(1), 'local');
      const [local, eu] = stores as [WatchedStore, WatchedStore];
      let reads = 0;
      let harming: Promise<void> | undefined;
      const harmAll = async () => {
        for (const pack of await packsOf(test, 'local')) await harm(pack);
      };
      local.beforePack = async () => {
        reads += 1;
        if (reads === 3) harming = harmAll();
        await harming;
      };
      eu.readBytes = 0;
      const directory = await target();
      await reader.restoreFiles(filesOf(reader), { directory });
      await assertRestored(directory);
      assert.ok(eu.readBytes > 0);
    });
  }

  it('finds each frame where it is good, when both copies have damage in other places', async () => {
    await using test = await vaultWith({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 } });
    for (const [copy, part] of [
      ['local', 0],
      ['eu', 1],
    ] as const) {
      for (const pack of await packsOf(test, copy)) {
        const bytes = await readFile(pack);
        const middle = Math.floor(bytes.length / 2);
        // Of two halves that meet in the middle of a frame, each copy has one: a little is left between them.
        if (part === 0) bytes.fill(7, 41, middle - 1_100_000);
        else bytes.fill(7, middle + 1_100_000, bytes.length - 200_000);
        await writeFile(pack, bytes);
      }
    }
    const directory = await target();
    const vault = await test.reopen();
    await restore(vault, directory, { from: 'local' });
    await assertRestored(directory);
  });

  it('says damaged when no copy has it right, and leaves no file with a name that is not whole', async () => {
    await using test = await vaultWith({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 } });
    for (const copy of ['local', 'eu']) {
      for (const pack of await packsOf(test, copy)) {
        const bytes = await readFile(pack);
        await writeFile(pack, bytes.fill(7, Math.floor(bytes.length / 2)));
      }
    }
    const directory = await target();
    await assert.rejects(restore(test.vault, directory), { code: 'OBJECT_DAMAGED' });
    for (const [path, bytes] of Object.entries(await contentOf(directory))) {
      if (!path.endsWith('.holdfast-part')) assert.ok(files[path]?.equals(bytes), path);
    }
  });

  it('says why a store cannot be asked rather than that something is missing', async () => {
    const plan = new FaultPlan();
    await using test = await vaultWith({ wrap: (store) => new FaultyStore(store, plan) });
    const reader = await test.vault.openSnapshot(snapshotId(1));
    const wanted = [];
    for await (const each of filesOf(reader)) wanted.push(each);
    plan.set(1);
    await assert.rejects(reader.restoreFiles(wanted, { directory: await target() }), { code: 'STORE_UNAVAILABLE' });
  });
});

/** All that this process ever started; some wait idle between restores. */
const threads = new Set<Worker>();
process.on('worker', (worker) => threads.add(worker));

async function endThreads(): Promise<void> {
  const all = [...threads];
  threads.clear();
  await Promise.all(all.map((thread) => thread.terminate()));
}

describe('restoring files while something dies', () => {
  it("does a lost thread's work again with another one", async () => {
    let store: WatchedStore | undefined;
    const wrap = (inner: Store) => (store = new WatchedStore(inner));
    await using test = await vaultWith({ wrap });
    let reads = 0;
    (store as WatchedStore).beforePack = async () => {
      reads += 1;
      if (reads === 2 || reads === 5) await endThreads();
    };
    const directory = await target();
    await restore(test.vault, directory, { threads: 2 });
    await assertRestored(directory);
    assert.ok(reads >= 5);
  });

  it('gives up when threads end again and again', async () => {
    let store: WatchedStore | undefined;
    const wrap = (inner: Store) => (store = new WatchedStore(inner));
    await using test = await vaultWith({ wrap });
    (store as WatchedStore).beforePack = endThreads;
    const ends = setInterval(() => void endThreads(), 1);
    try {
      await assert.rejects(restore(test.vault, await target()), { message: /again and again/ });
    } finally {
      clearInterval(ends);
    }
  });

  it('goes on after a kill with what was written, and reads little again', async () => {
    let store: WatchedStore | undefined;
    const wrap = (inner: Store) => (store = new WatchedStore(inner));
    await using test = await testVault({ wrap });
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, number) => [`many/${number}`, seededBytes(`many ${number}`, 3 * MiB)]),
    );
    await takeSnapshot(test.vault, many);
    const directory = await target();
    const script = join(import.meta.dirname, '../../support/restore-files-and-die.ts');
    const child = spawn(process.execPath, [script, test.keyFile, test.path('local'), directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data'); // some files are done
    child.kill('SIGKILL');
    await once(child, 'exit');
    const whole = Object.entries(await contentOf(directory)).filter(([path]) => !path.endsWith('.holdfast-part'));
    for (const [path, bytes] of whole) assert.ok(many[path]?.equals(bytes), path);
    const watched = store as WatchedStore;
    watched.readBytes = 0;
    const done = await restore(test.vault, directory);
    await assertRestored(directory, many);
    assert.ok(done.keptFiles >= whole.length && whole.length > 0);
    assert.ok(watched.readBytes < (40 - whole.length) * 3 * MiB * 1.4 + 8 * MiB, `read ${watched.readBytes}`);
  });

  it('stops when it is told to, writes nothing after that, and goes on later', async () => {
    await using test = await vaultWith();
    const directory = await target();
    const stop = new AbortController();
    const onProgress = () => stop.abort();
    await assert.rejects(restore(test.vault, directory, { signal: stop.signal, onProgress }), { code: 'CANCELLED' });
    const left = await contentOf(directory);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.deepEqual(Object.keys(await contentOf(directory)), Object.keys(left));
    const done = await restore(test.vault, directory);
    assert.ok(done.keptFiles > 0);
    await assertRestored(directory);
  });
});
