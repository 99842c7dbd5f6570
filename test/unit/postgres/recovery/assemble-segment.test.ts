// A segment as a server would have it, whatever objects it lies in: whole, put together, cut where no more of it is wanted.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { lsnFrom } from '../../../../src/domain/lsn.ts';
import type { TimelineHistory } from '../../../../src/domain/timeline.ts';
import { assembleSegment } from '../../../../src/postgres/recovery/assemble-segment.ts';
import { indexBySegment } from '../../../../src/postgres/recovery/log-archive.ts';
import type { LogCopy } from '../../../../src/vault/types.ts';
import { COMPONENT, seededBytes, testVault } from '../../../support/vault.ts';

const SIZE = 1024 * 1024;
const START = 3n * BigInt(SIZE);
const one: TimelineHistory = { timeline: 1, ancestors: [] };
const two: TimelineHistory = {
  timeline: 2,
  ancestors: [{ timeline: 1, switchLsn: lsnFrom(START + 700n), reason: 'promoted' }],
};

function put(log: LogCopy, kind: 'segment' | 'extent', timeline: number, bytes: Buffer, from = 0) {
  const at = (offset: number) => lsnFrom(START + BigInt(offset));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const range = { fromLsn: at(from), toLsn: at(from + bytes.length) };
  const header = { timeline, segmentSizeBytes: SIZE, ...range, sha256, restorePoints: [] };
  return kind === 'segment' ? log.putSegment(header, bytes) : log.putExtent(header, bytes);
}

async function assemble(log: LogCopy, history: TimelineHistory, to?: bigint): Promise<Buffer> {
  const segments = indexBySegment((await log.list()).objects);
  const about = { log, segments, history, segment: 3n, segmentSizeBytes: SIZE };
  return await assembleSegment({ ...about, ...(to !== undefined && { to: START + to }) });
}

test('from one object, and nothing behind what is wanted', async () => {
  await using vault = await testVault();
  const log = vault.vault.log(COMPONENT, '4711', 'local');
  const bytes = seededBytes('one', SIZE);
  await put(log, 'segment', 1, bytes);
  assert.ok((await assemble(log, one)).equals(bytes));
  const cut = await assemble(log, one, 5000n);
  assert.equal(cut.length, SIZE);
  assert.ok(cut.equals(Buffer.concat([bytes.subarray(0, 5000), Buffer.alloc(SIZE - 5000)])));
});

test('from extents, and across the place where a timeline was left', async () => {
  await using vault = await testVault();
  const log = vault.vault.log(COMPONENT, '4711', 'local');
  const [older, newer] = [seededBytes('older', 1000), seededBytes('newer', SIZE)];
  await put(log, 'extent', 1, older.subarray(0, 400));
  await put(log, 'extent', 1, older.subarray(400), 400);
  assert.ok((await assemble(log, one, 1000n)).subarray(0, 1000).equals(older));
  await assert.rejects(assemble(log, one), { code: 'LOG_HOLE' });
  await put(log, 'segment', 2, newer);
  const whole = await assemble(log, two);
  assert.ok(whole.equals(Buffer.concat([older.subarray(0, 700), newer.subarray(700)])));
});
