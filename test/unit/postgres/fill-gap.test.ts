// A gap is filled from another copy, and neither copy waits for the other's store with anything but that.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Lsn } from '../../../src/domain/lsn.ts';
import { fillGap } from '../../../src/postgres/receiver/fill-gap.ts';
import { LogMemory } from '../../../src/postgres/receiver/log-memory.ts';
import type { LogCopy, LogObject } from '../../../src/vault/types.ts';

const segmentSizeBytes = 16 * 1024 ** 2;
const position = { timeline: 1, at: 0x3000000n };
const object = {
  ...{ kind: 'segment', segment: '000000010000000000000003' },
  ...{ fromLsn: '0/3000000' as Lsn, toLsn: '0/4000000' as Lsn },
} as LogObject;

/** Holds one segment; `read` and `put` are waited for. */
function copyNamed(copy: string, { read, put }: { read?: Promise<void>; put?: Promise<void> } = {}) {
  const calls: string[] = [];
  const log = {
    copy,
    list: () => Promise.resolve({ objects: [object] }),
    read: async () => {
      calls.push('read');
      await read;
      return { header: { toLsn: object.toLsn }, bytes: Buffer.alloc(1) };
    },
    putSegment: async () => {
      calls.push('put');
      await put;
    },
    dropExtents: () => Promise.resolve(),
  } as unknown as LogCopy;
  return { log, calls };
}

const hangs = () => Promise.withResolvers<void>();

for (const { name, ofSource, ofTarget } of [
  { name: 'the copy that is read hangs', ofSource: hangs(), ofTarget: undefined },
  { name: 'the copy that lacks it hangs', ofSource: undefined, ofTarget: hangs() },
]) {
  test(`${name}: what both get besides goes on, with all of their memory`, async () => {
    const memory = new LogMemory(2, 8 * segmentSizeBytes);
    const stop = new AbortController();
    const source = copyNamed('source', ofSource && { read: ofSource.promise });
    const target = copyNamed('target', ofTarget && { put: ofTarget.promise });
    const how = { segmentSizeBytes, memory, signal: stop.signal };
    const fills = [1, 2, 3, 4].map(() => fillGap(target.log, [source.log], position, how));
    for (let turns = 0; turns < 20; turns += 1) await turn();
    for (const copy of ['source', 'target'])
      for (let pieces = 0; pieces < 2; pieces += 1)
        assert.ok(memory.tryTake(copy, segmentSizeBytes), `${copy} waits for nobody`);
    assert.deepEqual(source.calls, ['read'], 'one at a time');
    // From another one it is filled meanwhile.
    const third = copyNamed('third');
    assert.equal(await fillGap(copyNamed('target').log, [third.log], position, how), 0x4000000n);
    stop.abort();
    const [first, ...others] = fills;
    for (const fill of others) await assert.rejects(fill, { code: 'CANCELLED' });
    for (const held of [ofSource, ofTarget]) held?.resolve();
    assert.equal(await first, 0x4000000n);
    assert.equal(memory.usedBytes, 8 * segmentSizeBytes, 'it has given back what it took');
  });
}

test('what no copy has is a hole, and what could not be read is tried again', async () => {
  const memory = new LogMemory(2, 8 * segmentSizeBytes);
  const how = { segmentSizeBytes, memory, signal: new AbortController().signal };
  const target = copyNamed('target');
  const later = { timeline: 1, at: 0x4000000n };
  await assert.rejects(fillGap(target.log, [copyNamed('source').log], later, how), { code: 'LOG_HOLE' });
  const broken = copyNamed('source', { read: Promise.reject(new Error('away')) });
  await assert.rejects(fillGap(target.log, [broken.log], position, how), /away/);
  assert.equal(memory.usedBytes, 0);
});
