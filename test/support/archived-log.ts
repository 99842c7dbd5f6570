// What a copy holds of a cluster's log, put together for comparison with other receivers of the same log.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { coverage } from '../../src/domain/log-coverage.ts';
import { type Lsn, lsnDistance, lsnValue, parseSegmentName, segmentStart } from '../../src/domain/lsn.ts';
import { readHoldings } from '../../src/postgres/receiver/holdings.ts';
import type { LogCopy } from '../../src/vault/index.ts';

export interface ArchivedRun {
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  readonly bytes: Buffer;
}

/** Runs without a gap of one timeline, oldest first, each byte read through the vault. */
export async function archivedRuns(log: LogCopy, timeline: number): Promise<ArchivedRun[]> {
  const { objects, stretches } = await readHoldings(log);
  const ranges = coverage(stretches).find((each) => each.timeline === timeline)?.ranges ?? [];
  const runs = ranges.map(({ fromLsn, toLsn }) => ({
    fromLsn,
    toLsn,
    bytes: Buffer.alloc(lsnDistance(fromLsn, toLsn)),
  }));
  for (const object of objects) {
    if (object.timeline !== timeline) continue;
    const { header, bytes } = await log.read(object);
    const run = runs.find(
      (r) => lsnValue(r.fromLsn) <= lsnValue(header.fromLsn) && lsnValue(header.toLsn) <= lsnValue(r.toLsn),
    );
    bytes.copy(run!.bytes, lsnDistance(run!.fromLsn, header.fromLsn));
  }
  return runs;
}

/** Compares with the segment files of a directory (pg_receivewal's, or the server's own). Gives how many bytes were compared. */
export async function compareWithDirectory(
  runs: readonly ArchivedRun[],
  directory: string,
  timeline: number,
  segmentSizeBytes: number,
): Promise<number> {
  let compared = 0;
  for (const name of (await readdir(directory)).sort()) {
    const file = /^([0-9A-F]{24})(\.partial)?$/.exec(name)?.[1];
    if (file === undefined || parseSegmentName(file, segmentSizeBytes).timeline !== timeline) continue;
    const start = segmentStart(parseSegmentName(file, segmentSizeBytes).segment, segmentSizeBytes);
    const theirs = await readFile(path.join(directory, name));
    for (const run of runs) {
      const from = Math.max(0, lsnDistance(start, run.fromLsn));
      const to = Math.min(segmentSizeBytes, lsnDistance(start, run.toLsn));
      if (from >= to) continue;
      const ours = run.bytes.subarray(lsnDistance(run.fromLsn, start) + from, lsnDistance(run.fromLsn, start) + to);
      // What the other one has not received yet is zeros in its last, partial file.
      const end = name.endsWith('.partial') ? lastNonZero(theirs) : to;
      const size = Math.min(to, end) - from;
      if (size <= 0) continue;
      assert.ok(ours.subarray(0, size).equals(theirs.subarray(from, from + size)), `${name} differs`);
      compared += size;
    }
  }
  return compared;
}

function lastNonZero(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}
