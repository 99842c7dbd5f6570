// What every store must do, whatever it is made of: one suite, run over each of them.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, describe, it } from 'node:test';
import type { Store } from '../../../src/stores/store.ts';

export interface StoreUnderTest {
  readonly title: string;
  /** An empty store of its own for each test. */
  open(): Promise<Store>;
  readonly conditionalPut: boolean;
  readonly checksumAttested: boolean;
}

async function keysOf(store: Store, prefix: string, after?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, after === undefined ? {} : { after })) keys.push(key);
  return keys;
}

const text = (value: string) => Buffer.from(value);

export function describeStore(subject: StoreUnderTest): void {
  describe(`store on ${subject.title}`, () => {
    let store: Store;
    before(async () => {
      store = await subject.open();
    });

    it('gives back what was put, whole and in ranges', async () => {
      const bytes = Buffer.alloc(3_000_000, 'holdfast');
      await store.put('a/whole', bytes);
      assert.ok((await store.get('a/whole')).equals(bytes));
      assert.ok((await store.get('a/whole', { offset: 0, length: 8 })).equals(bytes.subarray(0, 8)));
      assert.ok((await store.get('a/whole', { offset: 2_999_999, length: 1 })).equals(bytes.subarray(-1)));
      assert.equal((await store.get('a/whole', { offset: 5, length: 0 })).length, 0);
      await store.put('a/empty', Buffer.alloc(0));
      assert.equal((await store.get('a/empty')).length, 0);
    });

    it('gives the same into memory that is lent to it, whatever was in it', async () => {
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, number) => number % 251));
      await store.put('a/lent', bytes);
      const into = (length: number) => new Uint8Array(2 * length + 1).fill(0xee).buffer;
      assert.ok((await store.get('a/lent', undefined, { into })).equals(bytes));
      const range = { offset: 70_000, length: 130_001 };
      assert.ok((await store.get('a/lent', range, { into })).equals(bytes.subarray(70_000, 200_001)));
      await assert.rejects(store.get('a/lent', { offset: 299_999, length: 2 }, { into }), { code: 'OBJECT_DAMAGED' });
      await assert.rejects(store.get('a/not-lent', undefined, { into }), { code: 'OBJECT_MISSING' });
    });

    it('refuses a range past the end instead of giving less', async () => {
      await store.put('range/short', text('short'));
      await assert.rejects(store.get('range/short', { offset: 0, length: 6 }), { code: 'OBJECT_DAMAGED' });
      await assert.rejects(store.get('range/short', { offset: 9, length: 1 }), { code: 'OBJECT_DAMAGED' });
    });

    it('tells a missing object from everything else', async () => {
      await assert.rejects(store.get('missing/object'), { code: 'OBJECT_MISSING' });
      assert.equal(await store.head('missing/object'), undefined);
      await store.put('missing/other/below', text('x'));
      assert.equal(await store.head('missing/other'), undefined);
    });

    it('leaves the first object alone when it is put again, and overwrites only when told', async () => {
      await store.put('once', text('first'));
      await assert.rejects(store.put('once', text('second')), { code: 'OBJECT_EXISTS' });
      await assert.rejects(store.put('once', text('first')), { code: 'OBJECT_EXISTS' });
      assert.equal((await store.get('once')).toString(), 'first');
      await store.put('once', text('third'), { ifAbsent: false });
      assert.equal((await store.get('once')).toString(), 'third');
    });

    it('lets exactly one of many writers at once have a key', { skip: !subject.conditionalPut }, async () => {
      const writers = Array.from({ length: 12 }, (_, number) => store.put('race/key', text(`writer ${number}`)));
      const results = await Promise.allSettled(writers);
      const won = results.flatMap((result, number) => (result.status === 'fulfilled' ? [number] : []));
      assert.equal(won.length, 1);
      assert.equal((await store.get('race/key')).toString(), `writer ${won[0]}`);
      for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.code, 'OBJECT_EXISTS');
    });

    it('says size, time and, where it attests, the hash of an object', async () => {
      const bytes = text('some bytes');
      await store.put('info/object', bytes, { sha256: createHash('sha256').update(bytes).digest('hex') });
      const info = await store.head('info/object');
      assert.equal(info?.sizeBytes, 10);
      assert.ok(Math.abs(Date.now() - (info?.storedAt.getTime() ?? 0)) < 120_000);
      const attested = subject.checksumAttested ? createHash('sha256').update(bytes).digest('hex') : undefined;
      assert.equal(info?.sha256, attested);
    });

    it('lists in key order, below a prefix that need not end at a part, after a key', async () => {
      const keys = ['b/1', 'b/2/x', 'b/2/y', 'b/3', 'bc/1', 'b/20'].sort();
      for (const key of keys) await store.put(`list/${key}`, text(key));
      const listed = async (prefix: string, after?: string) =>
        (await keysOf(store, `list/${prefix}`, after && `list/${after}`)).map((key) => key.slice(5));
      assert.deepEqual(await listed(''), keys);
      assert.deepEqual(
        await listed('b/'),
        keys.filter((key) => key.startsWith('b/')),
      );
      assert.deepEqual(await listed('b/2'), ['b/2/x', 'b/2/y', 'b/20']);
      assert.deepEqual(await listed('b/', 'b/2/x'), ['b/2/y', 'b/20', 'b/3']);
      assert.deepEqual(await listed('b/', 'b/2/~'), ['b/20', 'b/3']);
      assert.deepEqual(await listed('none/'), []);
      assert.equal((await store.list('list/b/1')[Symbol.asyncIterator]().next()).value?.sizeBytes, 3);
    });

    it('lists more than one page', async () => {
      const keys = Array.from({ length: 1100 }, (_, number) => `pages/${String(number).padStart(4, '0')}`);
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => store.put(key, text('p'))));
      }
      assert.deepEqual(await keysOf(store, 'pages/'), keys);
      assert.deepEqual(await keysOf(store, 'pages/', 'pages/1050'), keys.slice(1051));
      await store.delete(keys);
      assert.deepEqual(await keysOf(store, 'pages/'), []);
    });

    it('deletes exactly the keys named, and minds none that is not there', async () => {
      for (const key of ['delete/a', 'delete/ab', 'delete/b']) await store.put(key, text(key));
      await store.delete(['delete/a', 'delete/none']);
      assert.deepEqual(await keysOf(store, 'delete/'), ['delete/ab', 'delete/b']);
    });

    it('finds out what it really does and leaves nothing behind', async () => {
      const properties = await store.probe();
      assert.equal(properties.conditionalPut, subject.conditionalPut);
      assert.equal(properties.checksumAttested, subject.checksumAttested);
      assert.ok(Math.abs(properties.clockSkewMs) < 60_000);
      assert.deepEqual(await keysOf(store, 'probe/'), []);
    });

    it('stops when it is told to', async () => {
      await store.put('signal/object', text('x'));
      const signal = AbortSignal.abort();
      await assert.rejects(store.get('signal/object', undefined, { signal }));
      await assert.rejects(store.put('signal/other', text('x'), { signal }));
      assert.equal(await store.head('signal/other'), undefined);
    });

    it('refuses keys that could leave its place', async () => {
      for (const key of ['../x', 'a/../x', '/x', 'a//x', '', 'a/', 'a b', 'a/.tmp-x', 'ä']) {
        await assert.rejects(async () => store.put(key, text('x')), { code: 'INTERNAL' }, key);
      }
    });
  });
}
