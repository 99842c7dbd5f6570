// What has gone wrong in other backup systems, played against the vault: each title names the failure that must not happen here.

import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ComponentId } from '../../src/domain/component.ts';
import type { Moment } from '../../src/domain/moment.ts';
import { fail } from '../../src/errors/index.ts';
import type { Store } from '../../src/stores/store.ts';
import { withMethods } from '../../src/stores/with-methods.ts';
import { sealContext } from '../../src/vault/core.ts';
import { createVault, openVault, type TreeEntry } from '../../src/vault/index.ts';
import { manifestKey } from '../../src/vault/layout.ts';
import { openManifest } from '../../src/vault/manifest.ts';
import { objectTypes, seal } from '../../src/vault/sealed.ts';
import type { OpenedVault } from '../../src/vault/vault.ts';
import { DAY, idAt, putSegment, retentionVault } from '../support/retention.ts';
import { COMPONENT, FROM, readFiles, seededBytes, snapshotId, TO, takeSnapshot, testVault } from '../support/vault.ts';

const PACK = /packs\/..\/[0-9a-f]{64}$/;
const NOW = '2026-11-23T06:15:00.000000Z' as Moment;

async function allBytes(store: Store): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for await (const { key } of store.list('')) found.set(key, await store.get(key));
  return found;
}

describe('known failures of backup systems', () => {
  it('backups that are not encrypted because one way of starting them found no key: nothing is stored in clear, and nothing opens without a key', async () => {
    const planted = 'Rumpelstilzchen-planted-in-clear';
    for (const compression of ['none', 'zstd'] as const) {
      await using test = await testVault({ changes: { compression } });
      await takeSnapshot(test.vault, { [`base/${planted}`]: Buffer.from(planted.repeat(50)) }, 1);
      await putSegment(test.vault, 'local', 3, NOW);
      await test.vault.putRecord('run-1', 'end', { state: planted });
      const at = NOW;
      await test.vault.retention.hold({ component: COMPONENT, reason: planted, by: planted, at });
      const stored = await allBytes(test.options.copies[0]?.store as Store);
      assert.ok(stored.size > 8);
      for (const [key, bytes] of stored) {
        assert.ok(!bytes.includes(planted), key);
        assert.ok(!bytes.includes(Buffer.alloc(64, 3)) || key === 'FORMAT.md', key);
      }
      await assert.rejects(test.reopen({ keys: [] }), { code: 'VAULT_KEY_WRONG' });
    }
    await using empty = await testVault();
    await rm(join(empty.path('local'), 'holdfast.json'));
    await assert.rejects(createVault({ ...empty.options, keys: [] }), { code: 'CONFIG_INVALID' });
  });

  it('a read error that passes for "there is no vault here": nothing is made over a store that does not answer', async () => {
    await using test = await testVault();
    const store = test.options.copies[0]?.store as Store;
    const before = [...(await allBytes(store)).keys()];
    for (const code of ['STORE_UNAVAILABLE', 'STORE_DENIED', 'OBJECT_DAMAGED'] as const) {
      const unreadable = withMethods(store, {
        get: async (key: string) => fail(code, `'${key}' cannot be read now`),
        put: async (key: string) => fail('INTERNAL', `'${key}' was put into a store that cannot be read`),
      });
      const copies = test.options.copies.map((copy) => ({ ...copy, store: unreadable }));
      await assert.rejects(createVault({ ...test.options, copies }), { code });
      await assert.rejects(openVault({ ...test.options, copies }), { code });
    }
    assert.deepEqual([...(await allBytes(store)).keys()], before);
  });

  it('a manifest that ends before it starts, lacks its predecessor or its packs, is not accepted', async () => {
    await using test = await testVault();
    await takeSnapshot(test.vault, { 'base/1': seededBytes('one', 70_000) }, 1);
    const { core } = test.vault as OpenedVault;
    const good = {
      ...{ id: snapshotId(2), component: COMPONENT, kind: 'physical', class: 'full', host: 'db1', from: FROM, to: TO },
      ...{ generation: 'full-20261123T061407Z-00000000', sequence: 2, previous: 'a'.repeat(64), state: 'clean' },
      ...{ engine: {}, statistics: { files: 0, readBytes: 0, newBytes: 0, storedBytes: 0, chunks: 0, newChunks: 0 } },
    };
    const body = {
      parts: [{ generation: good.generation, packs: [['b'.repeat(64), 100]], indexes: [] }],
      ...{ tree: ['c'.repeat(64)], treeBytes: 5, treeSha256: 'd'.repeat(64) },
    };
    const open = async (header: object, text: string) => {
      const key = manifestKey(COMPONENT as ComponentId, 2, snapshotId(2));
      return openManifest(
        core,
        key,
        await seal(sealContext(core, objectTypes.manifest, key), header, Buffer.from(text)),
      );
    };
    await open(good, JSON.stringify(body));
    const wrong: readonly [object, string][] = [
      [{ ...good, from: TO, to: FROM }, JSON.stringify(body)],
      [{ ...good, previous: null }, JSON.stringify(body)],
      [{ ...good, previous: undefined }, JSON.stringify(body)],
      [{ ...good, sequence: 3 }, JSON.stringify(body)],
      [{ ...good, component: 'database/other' }, JSON.stringify(body)],
      [good, JSON.stringify({ ...body, parts: [] })],
      [good, JSON.stringify({ ...body, parts: [{ ...body.parts[0], generation: 'other-20261123T061407Z-00000000' }] })],
      [good, '{}'],
    ];
    for (const [header, text] of wrong) await assert.rejects(open(header, text), { code: 'OBJECT_DAMAGED' });
  });

  it('a manifest that was copied though its packs could not be: the copy shows no snapshot that it cannot give back', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    await takeSnapshot(test.vault, { 'base/1': seededBytes('one', 300_000) }, 1);
    await rm(join(test.path('eu'), 'database'), { recursive: true });
    const names = (await readdir(test.path('local'), { recursive: true })).filter((name) => PACK.test(name));
    await truncate(join(test.path('local'), names[0] as string), 1000);
    const vault = await test.reopen();
    await assert.rejects(vault.catchUp('eu'), { code: /OBJECT_DAMAGED|OBJECT_MISSING/ });
    const [listed] = await vault.listSnapshots(COMPONENT);
    assert.deepEqual(listed?.copies, { local: 'present', eu: 'absent' });
  });

  it('a hold on one snapshot that stops all retention: the others go, the held one stays whole', async () => {
    await using test = await retentionVault({ rules: { full: { ageSeconds: DAY } }, graceSeconds: DAY });
    const start = test.clock.now;
    for (let number = 1; number <= 4; number++) {
      await test.backup(number);
      test.pass(10);
    }
    const held = idAt(start, 1);
    const by = { reason: 'audit', by: 'test', at: test.clock.now };
    await test.vault.retention.hold({ component: COMPONENT, snapshot: held, ...by });
    await test.apply();
    test.pass(1);
    await test.apply();
    for (const copy of ['local', 'eu']) {
      assert.deepEqual(await test.numbersOn(copy), [1, 4]);
      await readFiles(await test.vault.openSnapshot(held, copy));
    }
  });

  it('a janitor that takes ".tmp." in a name for rubbish: what only looks unfinished is listed, caught up and kept', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    const runs = ['backup.tmp.1', 'tmp-2', 'x.tmp-3'];
    for (const run of runs) await test.vault.putRecord(run, 'end.tmp', { state: 'completed' });
    await rm(join(test.path('eu'), 'runs'), { recursive: true });
    const vault = await test.reopen();
    await vault.catchUp('eu');
    await rm(join(test.path('local'), 'runs'), { recursive: true });
    const fresh = await test.reopen();
    assert.deepEqual(new Set((await fresh.listRecords()).map(({ run }) => run)), new Set(runs));
    for (const run of runs) assert.deepEqual(await fresh.getRecord(run, 'end.tmp'), { state: 'completed' });
  });

  it('a file put together from the right chunks in the wrong order is refused, though its length is right', async () => {
    await using test = await testVault();
    await takeSnapshot(test.vault, { 'base/1': seededBytes('one', 4 * 65_536) }, 1);
    const reader = await test.vault.openSnapshot(snapshotId(1));
    const entries: TreeEntry[] = [];
    for await (const entry of reader.entries()) if (entry.type === 'file') entries.push(entry);
    const [entry] = entries;
    assert.ok(entry?.chunks?.length === 4);
    const [first = '', second = '', ...others] = entry.chunks;
    const swapped = { ...entry, chunks: [second, first, ...others] };
    const read = async (each: TreeEntry) => {
      for await (const _piece of reader.read(each));
    };
    await read(entry);
    await assert.rejects(read(swapped), { code: 'OBJECT_DAMAGED' });
    await assert.rejects(reader.restoreFiles([{ entry: swapped }], { directory: test.directory }), {
      code: 'OBJECT_DAMAGED',
    });
    await assert.rejects(readFile(join(test.directory, 'base/1')), { code: 'ENOENT' });
    reader.close();
  });

  it('one durable write for every chunk: a snapshot of many small files pays for a few objects', async () => {
    let puts = 0;
    const wrap = (store: Store) =>
      withMethods(store, {
        put: (...args: Parameters<Store['put']>) => {
          puts++;
          return store.put(...args);
        },
      });
    await using test = await testVault({ wrap });
    const files = Object.fromEntries(
      Array.from({ length: 600 }, (_, number) => [`base/${number}`, seededBytes(`small ${number}`, 3000)]),
    );
    puts = 0;
    const { statistics } = await takeSnapshot(test.vault, files, 1);
    assert.ok(statistics.newChunks >= 600);
    assert.ok(puts <= 12, `${puts} objects for ${statistics.newChunks} chunks`);
  });

  it('the same name written over every night: another object under a name that is taken is an alarm, and the first one stays', async () => {
    await using test = await testVault();
    await putSegment(test.vault, 'local', 3, NOW);
    const store = test.options.copies[0]?.store as Store;
    const before = await allBytes(store);
    for (const [key, bytes] of before) {
      if (!key.startsWith(COMPONENT)) continue;
      await assert.rejects(store.put(key, Buffer.from('of tonight')), { code: 'OBJECT_EXISTS' });
      assert.ok((await store.get(key)).equals(bytes));
    }
    await putSegment(test.vault, 'local', 3, NOW);
  });
});
