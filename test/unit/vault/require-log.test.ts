// A physical snapshot without its log cannot be restored: a copy that lacks the log does not get the manifest.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { lsnFrom } from '../../../src/domain/lsn.ts';
import type { LogCopy } from '../../../src/vault/index.ts';
import { COMPONENT, inPieces, request, seededBytes, snapshotId, TO, testVault } from '../../support/vault.ts';

const SEGMENT_BYTES = 1024 * 1024;
const SYSTEM = '7432198765432109876';
const engine = { systemId: SYSTEM, timeline: 1, startLsn: '0/300028', stopLsn: '0/500130' };

async function putSegment(log: LogCopy, segment: number, length = SEGMENT_BYTES): Promise<void> {
  const bytes = seededBytes(`segment ${segment}`, length);
  const from = BigInt(segment * SEGMENT_BYTES);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const range = { fromLsn: lsnFrom(from), toLsn: lsnFrom(from + BigInt(length)) };
  await log.putSegment({ timeline: 1, segmentSizeBytes: SEGMENT_BYTES, ...range, sha256, restorePoints: [] }, bytes);
}

/** A snapshot on `local` alone, with the log that was named, and `eu` that lacks manifest and log. */
async function snapshotWith(segments: readonly (readonly [number, number?])[]) {
  const test = await testVault({ copies: ['local', 'eu'] });
  const local = test.vault.log(COMPONENT, SYSTEM, 'local');
  for (const [segment, length] of segments) await putSegment(local, segment, length);
  const writer = await test.vault.writeSnapshot(request(1));
  await writer.addFile({ path: 'PG_VERSION', mode: 0o600, mtimeSeconds: 2 }, inPieces(Buffer.from('17\n')));
  await writer.commit({ to: TO, state: 'clean', engine });
  const manifests = join(test.path('eu'), 'database/main/snapshots');
  for (const name of await readdir(manifests)) await rm(join(manifests, name));
  return test;
}

const stateOn = async (test: Awaited<ReturnType<typeof snapshotWith>>) =>
  (await (await test.reopen()).listSnapshots()).find(({ id }) => id === snapshotId(1))?.copies.eu;

describe('a copy that catches up', () => {
  it('gets a snapshot with all its log', async () => {
    await using test = await snapshotWith([[3], [4], [5, 0x130]]);
    await (await test.reopen()).catchUp('eu');
    assert.equal(await stateOn(test), 'present');
  });

  for (const [name, segments] of [
    ['has a hole', [[3], [5]]],
    ['begins too late', [[4], [5]]],
    ['ends too early', [[3], [4], [5, 0x128]]],
  ] as const) {
    it(`does not get the manifest of a snapshot whose log ${name}`, async () => {
      await using test = await snapshotWith(segments);
      await assert.rejects((await test.reopen()).catchUp('eu'), { code: 'LOG_HOLE' });
      assert.equal(await stateOn(test), 'absent');
    });
  }
});
