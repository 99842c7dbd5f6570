// A restore of files that is interrupted: by threads that end, a kill, or a word to stop.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Worker } from 'node:worker_threads';
import type { Store } from '../../../src/stores/store.ts';
import {
  assertRestored,
  contentOf,
  MiB,
  restore,
  target,
  vaultWith,
  WatchedStore,
} from '../../support/restore-files.ts';
import { seededBytes, takeSnapshot, testVault } from '../../support/vault.ts';

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
