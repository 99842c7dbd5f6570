// The store in memory that long random tests use: the same conformance suite, and what others put over an object of one with versions.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryDisk, MemoryStore } from '../../support/memory-store.ts';
import { describeStore } from './conformance.ts';

for (const isVersioned of [false, true]) {
  describeStore({
    title: isVersioned ? 'memory with versions' : 'memory',
    open: async () => new MemoryStore('memory', { isVersioned }),
    conditionalPut: true,
    checksumAttested: false,
  });
}

describe('store on memory, as the stand-in of a bucket', () => {
  it('tells every version of a key, newest first, reads each, and lists what was stored first', async () => {
    const store = new MemoryStore('eu', { isVersioned: true });
    await store.put('v/key', Buffer.from('first'));
    await store.put('v/key', Buffer.from('second one'), { ifAbsent: false });
    store.cover('v/key');
    const versions = await store.versions('v/key');
    assert.deepEqual(
      versions.map(({ sizeBytes, isDeleteMarker }) => [sizeBytes, isDeleteMarker]),
      [
        [0, true],
        [10, false],
        [5, false],
      ],
    );
    await assert.rejects(store.get('v/key'), { code: 'OBJECT_MISSING' });
    assert.equal((await store.get('v/key', undefined, { version: versions[2]?.id as string })).toString(), 'first');
    store.cover('v/never-there');
    const listed = [];
    for await (const { key, sizeBytes, isCovered } of store.list('v/')) listed.push([key, sizeBytes, isCovered]);
    assert.deepEqual(listed, [['v/key', 5, true]]);
    await store.delete(['v/key']);
    assert.deepEqual(await store.versions('v/key'), []);
  });

  it('never answers "empty" while it is away, and has what was remembered when that is put back', async () => {
    const store = new MemoryStore('eu');
    await store.put('a', Buffer.from('a'));
    const before = new MemoryDisk(store.disk);
    await store.put('b', Buffer.from('b'));
    store.disk = undefined;
    const away = { code: 'STORE_UNAVAILABLE' };
    await assert.rejects(store.list('')[Symbol.asyncIterator]().next(), away);
    for (const call of [() => store.get('a'), () => store.head('a'), () => store.put('c', Buffer.from('c'))]) {
      await assert.rejects(call(), away);
    }
    store.disk = before;
    assert.equal((await store.get('a')).toString(), 'a');
    assert.equal(await store.head('b'), undefined);
  });
});
