// Files of a snapshot from copies with damage: each piece from where it is good, or no file at all.

import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Store } from '../../../src/stores/store.ts';
import { codecs } from '../../../src/vault/codec.ts';
import { TAG_BYTES } from '../../../src/vault/crypto.ts';
import { openGeneration } from '../../../src/vault/generation.ts';
import { elsewhereWords } from '../../../src/vault/index.ts';
import { decryptFrame, HEAD_BYTES, PackBuilder, packKey, readPackIndex } from '../../../src/vault/pack.ts';
import { eachChunkOf, framesOf } from '../../../src/vault/pack-index.ts';
import type { OpenedVault } from '../../../src/vault/vault.ts';
import { FaultPlan, FaultyStore } from '../../support/faulty-store.ts';
import {
  assertRestored,
  contentOf,
  files,
  filesOf,
  restore,
  target,
  vaultWith,
  WatchedStore,
} from '../../support/restore-files.ts';
import { COMPONENT, snapshotId, type TestVault } from '../../support/vault.ts';

async function packsOf(test: TestVault, copy: string): Promise<string[]> {
  const names = await readdir(test.path(copy), { recursive: true });
  return names.filter((name) => /packs\/..\/[0-9a-f]{64}$/.test(name)).map((name) => join(test.path(copy), name));
}

/** Every third frame that is not compressed has one other byte, encrypted as it should be; gives how many have. */
async function rewriteWrongly({ vault, path }: TestVault, name: string): Promise<number> {
  const { core } = vault as OpenedVault;
  const copy = core.copies.get(name);
  let [wrong, frames] = [0, 0];
  for (const file of await packsOf({ path } as TestVault, name)) {
    const generation = /generations\/([^/]+)\//.exec(file)?.[1] ?? '';
    const { context } = await openGeneration(core, COMPONENT, generation, [copy]);
    const old = await readFile(file);
    const read = async (offset: number, length: number) => old.subarray(offset, offset + length);
    const index = await readPackIndex(context, old.length, read, 'pack');
    const key = packKey(context, old.subarray(0, HEAD_BYTES), 'pack');
    const builder = new PackBuilder(context);
    for (const frame of framesOf(index, 'pack')) {
      const { place } = frame;
      const sealed = old.subarray(place.offset, place.offset + place.storedLength + TAG_BYTES);
      const stored = Buffer.from(decryptFrame(context, key, place, sealed, 'pack'));
      const isWrong = place.codec === codecs.raw && frames++ % 3 === 0;
      if (isWrong) stored.writeUInt8(stored.readUInt8(stored.length >> 1) ^ 1, stored.length >> 1);
      if (isWrong) wrong++;
      const [ids, lengths]: [Buffer[], number[]] = [[], []];
      eachChunkOf(index, frame, (id, _offset, length) => {
        ids.push(id);
        lengths.push(length);
      });
      builder.add(place.codec, stored, place.plainLength, Buffer.concat(ids), lengths);
    }
    const { bytes } = builder.finish();
    assert.equal(bytes.length, old.length);
    await writeFile(file, bytes);
  }
  return wrong;
}

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
      const [from, ...others] = reader.elsewhere;
      assert.deepEqual([from?.copy, from?.preferred, others], ['eu', 'local', []]);
      assert.ok(from && from.bytes > 0 && from.bytes <= eu.readBytes, JSON.stringify(from));
      assert.match(
        elsewhereWords(reader.elsewhere).join(),
        /^\S+ \S+ were read from copy 'eu', because 'local' did not give them: .*packs/,
      );
    });
  }

  it('tells of no other copy where the preferred one gave everything', async () => {
    await using test = await vaultWith({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 } });
    const reader = await test.vault.openSnapshot(snapshotId(1), 'eu');
    await reader.restoreFiles(filesOf(reader), { directory: await target() });
    assert.deepEqual(reader.elsewhere, []);
  });

  it('takes from the other copy what a program with the right key has written wrongly here, of small and large files', async () => {
    await using test = await vaultWith({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 } });
    assert.ok((await rewriteWrongly(test, 'local')) > 5);
    const directory = await target();
    const reader = await (await test.reopen()).openSnapshot(snapshotId(1), 'local');
    await reader.restoreFiles(filesOf(reader), { directory });
    await assertRestored(directory);
    // With nowhere else to take it from it is damaged, and has no name.
    assert.ok((await rewriteWrongly(test, 'eu')) > 5);
    const nowhere = await target();
    await assert.rejects(restore(await test.reopen(), nowhere), { code: 'OBJECT_DAMAGED' });
    for (const [path, bytes] of Object.entries(await contentOf(nowhere))) {
      if (!path.endsWith('.holdfast-part')) assert.ok(files[path]?.equals(bytes), path);
    }
  });

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
