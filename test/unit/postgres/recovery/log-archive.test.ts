// Reading the archive of a log that is being written: what moved meanwhile is read anew, what is missing stays missing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lsn, SegmentName } from '../../../../src/domain/lsn.ts';
import { fail } from '../../../../src/errors/index.ts';
import { indexBySegment, whileLogMoves } from '../../../../src/postgres/recovery/log-archive.ts';
import type { LogObject } from '../../../../src/vault/types.ts';

test('an object that was listed and is gone is looked for in a new listing', async () => {
  let attempts = 0;
  const read = async () => {
    attempts += 1;
    if (attempts < 3) fail('OBJECT_MISSING', 'the extent was dropped');
    return 'read';
  };
  assert.equal(await whileLogMoves(read), 'read');
  assert.equal(attempts, 3);
});

test('what is still missing after several listings is missing, and any other failure is one at once', async () => {
  let attempts = 0;
  const missing = async () => {
    attempts += 1;
    return fail('OBJECT_MISSING', 'never there');
  };
  await assert.rejects(whileLogMoves(missing), { code: 'OBJECT_MISSING' });
  assert.ok(attempts > 1);
  attempts = 0;
  const damaged = async () => {
    attempts += 1;
    return fail('OBJECT_DAMAGED', 'other bytes');
  };
  await assert.rejects(whileLogMoves(damaged), { code: 'OBJECT_DAMAGED' });
  assert.equal(attempts, 1);
});

test('the closed object of a segment is asked before its extents, and those in their order', () => {
  const object = (kind: LogObject['kind'], from: string, to: string): LogObject => ({
    kind,
    timeline: 1,
    segment: '000000010000000000000001' as SegmentName,
    fromLsn: from as Lsn,
    toLsn: to as Lsn,
    key: `${kind} ${from}`,
    sizeBytes: 1,
  });
  const index = indexBySegment([
    object('extent', '0/1000100', '0/1000200'),
    object('extent', '0/1000000', '0/1000100'),
    object('segment', '0/1000000', '0/2000000'),
  ]);
  const keys = index.get('000000010000000000000001' as SegmentName)?.map(({ key }) => key);
  assert.deepEqual(keys, ['segment 0/1000000', 'extent 0/1000000', 'extent 0/1000100']);
});
