// Files laid over earlier ones onto the disk: none is taken for right by its name, nothing of an earlier attempt is built on, and memory stays bounded.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Worker } from 'node:worker_threads';
import type { Store } from '../../../src/stores/store.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { laidOver, PAGE, somePages, takeLaid, takeWhole } from '../../support/laid-over.ts';
import { assertRestored, contentOf, filesOf, MiB, target, WatchedStore } from '../../support/restore-files.ts';
import { type Files, seededBytes, type TestVault, testVault } from '../../support/vault.ts';

const threads = new Set<Worker>();
process.on('worker', (worker) => threads.add(worker));

const small = seededBytes('small', 100 * PAGE);
const large = seededBytes('large', 12 * MiB);
const below: Files = { 'base/small': small, 'base/large': large };
const overlays = { 'base/small': somePages(small, 'new small', 7), 'base/large': somePages(large, 'new large', 5, 2) };
const expected = laidOver(below, overlays);

async function laid(options: Parameters<typeof testVault>[0] = {}): Promise<{ test: TestVault; id: SnapshotId }> {
  const test = await testVault(options);
  const { id } = await takeWhole(test.vault, 1, below);
  const { snapshot } = await takeLaid(test.vault, 2, id, overlays);
  return { test, id: snapshot.id };
}

async function restore({ vault }: TestVault, id: SnapshotId, directory: string) {
  const reader = await vault.openSnapshot(id);
  try {
    return await reader.restoreFiles(filesOf(reader), { directory });
  } finally {
    reader.close();
  }
}

describe('restoring files that were laid over earlier ones', () => {
  it('never keeps what is there under the name with the right length', async () => {
    const { test, id } = await laid();
    await using _test = test;
    const directory = await target();
    await mkdir(join(directory, 'base'));
    const wrong = Buffer.from(expected['base/large'] as Buffer);
    wrong.writeUInt8(wrong.readUInt8(5 * MiB) ^ 1, 5 * MiB);
    await writeFile(join(directory, 'base/large'), wrong);
    await writeFile(join(directory, 'base/small'), small);
    const done = await restore(test, id, directory);
    assert.equal(done.keptFiles, 0);
    await assertRestored(directory, expected);
    assert.equal((await restore(test, id, directory)).keptFiles, 0);
    await assertRestored(directory, expected);
  });

  it('does again with another thread what one took with it', async () => {
    let store: WatchedStore | undefined;
    const { test, id } = await laid({ wrap: (inner: Store) => (store = new WatchedStore(inner)) });
    await using _test = test;
    let reads = 0;
    (store as WatchedStore).beforePack = async () => {
      reads += 1;
      if (reads !== 3 && reads !== 5) return;
      const all = [...threads];
      threads.clear();
      await Promise.all(all.map((thread) => thread.terminate()));
    };
    const directory = await target();
    await restore(test, id, directory);
    await assertRestored(directory, expected);
    assert.ok(reads >= 5, `${reads} reads`);
  });

  it('builds on nothing that a killed attempt left, and takes it away', async () => {
    const { test, id } = await laid();
    await using _test = test;
    const directory = await target();
    const script = join(import.meta.dirname, '../../support/restore-files-and-die.ts');
    const child = spawn(process.execPath, [script, test.keyFile, test.path('local'), directory], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    for (let isThere = false; !isThere; ) {
      const names = await readdir(directory, { recursive: true });
      isThere = names.some((name) => name.startsWith('base/large'));
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    // Whatever it had come to: one that looks finished, and is full of something else.
    const [mark] = id.split('-').slice(-1);
    await mkdir(join(directory, 'base'), { recursive: true });
    for (const name of ['large', 'small']) {
      const other = Buffer.alloc((expected[`base/${name}`] as Buffer).length, 7);
      await writeFile(join(directory, `base/${name}.${mark}.0123abcd.holdfast-part`), other);
      await writeFile(join(directory, `base/${name}.${mark}.holdfast-part`), other);
    }
    await restore(test, id, directory);
    const found = await contentOf(directory);
    for (const [name, bytes] of Object.entries(expected)) assert.ok(found[name]?.equals(bytes), name);
    const parts = Object.keys(found).filter((name) => name.endsWith('.holdfast-part'));
    // Those of a form that such a file never had are somebody's files.
    assert.deepEqual(parts.sort(), [`base/large.${mark}.holdfast-part`, `base/small.${mark}.holdfast-part`]);
  });

  it('says that its unfinished form was taken away, and gives no file the name then', async () => {
    let store: WatchedStore | undefined;
    const { test, id } = await laid({ wrap: (inner: Store) => (store = new WatchedStore(inner)) });
    await using _test = test;
    const directory = await target();
    (store as WatchedStore).beforePack = async () => {
      for (const name of await readdir(directory, { recursive: true })) {
        if (name.includes('large') && name.endsWith('.holdfast-part')) await rm(join(directory, name), { force: true });
      }
    };
    await assert.rejects(restore(test, id, directory), { code: 'TARGET_UNFIT' });
    assert.equal((await contentOf(directory))['base/large'], undefined);
  });

  it('reads a frame once for all its near parts, however many frames a file is scattered over', async () => {
    let store: WatchedStore | undefined;
    await using test = await testVault({ wrap: (inner: Store) => (store = new WatchedStore(inner)) });
    const depth = 24;
    let model: Files = { 'base/1': seededBytes('scattered', 24 * MiB) };
    let { id } = await takeWhole(test.vault, 1, model);
    for (let number = 0; number < depth; number++) {
      // Every capture brings every 24th page anew: in the end neighbours lie in 24 captures' frames.
      const over = { 'base/1': somePages(model['base/1'] as Buffer, `deep ${number}`, depth, number) };
      model = laidOver(model, over);
      ({
        snapshot: { id },
      } = await takeLaid(test.vault, number + 2, id, over));
    }
    const watched = store as WatchedStore;
    watched.readBytes = 0;
    const directory = await target();
    await restore(test, id, directory);
    await assertRestored(directory, model);
    assert.ok(watched.readBytes < 3 * 24 * MiB, `${watched.readBytes} bytes were read for 24 MiB`);
  });
});
