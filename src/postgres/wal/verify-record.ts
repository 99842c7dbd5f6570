// Takes one record out of its pages and proves it by its own checksum, for the record that a recovery will stop at.

import { type Lsn, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import { crc32c } from './crc32c.ts';
import {
  LONG_PAGE_HEADER_BYTES,
  pageFlags,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  SHORT_PAGE_HEADER_BYTES,
  u16,
  u32,
} from './format.ts';
import { isSwitch } from './record-data.ts';

/** Consecutive log bytes; they must hold the whole record, which may mean the next segment too. */
export interface LogRun {
  /** A page's start (any segment start is one). */
  readonly startLsn: Lsn;
  readonly bytes: Uint8Array;
  readonly segmentSizeBytes: number;
  /** Default 8192. */
  readonly pageSizeBytes?: number;
}

/**
 * Checks the CRC-32C of the record that starts at `lsn` and gives its end as the server counts it. Throws `OBJECT_DAMAGED`
 * when it is not whole in these bytes, or wrong.
 */
export function verifyRecord(run: LogRun, lsn: Lsn): { readonly endLsn: Lsn; readonly totalBytes: number } {
  const offset = Number(lsnValue(lsn) - lsnValue(run.startLsn));
  if (offset < 0 || offset % RECORD_ALIGNMENT !== 0) fail('OBJECT_DAMAGED', `no log record can start at ${lsn}`);
  const { record, end } = assemble(run, offset, lsn);
  // The checksum covers the data first, then the header up to the checksum itself.
  if (crc32c(record.subarray(RECORD_HEADER_BYTES), record.subarray(0, 20)) !== u32(record, 20)) {
    fail('OBJECT_DAMAGED', `the log record at ${lsn} does not match its checksum`);
  }
  let endLsn = lsnValue(run.startLsn) + BigInt(Math.ceil(end / RECORD_ALIGNMENT) * RECORD_ALIGNMENT);
  if (isSwitch(record[17]!, record[16]!)) {
    const segment = BigInt(run.segmentSizeBytes);
    endLsn = ((endLsn + segment - 1n) / segment) * segment;
  }
  return { endLsn: lsnFrom(endLsn), totalBytes: record.length };
}

function assemble(run: LogRun, offset: number, lsn: Lsn): { record: Buffer; end: number } {
  const { bytes, pageSizeBytes = 8192 } = run;
  const totalBytes = offset + 4 <= bytes.length ? u32(bytes, offset) : 0;
  if (totalBytes < RECORD_HEADER_BYTES) fail('OBJECT_DAMAGED', `no log record starts at ${lsn}`);
  const parts: Uint8Array[] = [];
  let missing = totalBytes;
  let at = offset;
  while (missing > 0) {
    if (at % pageSizeBytes === 0) at += continuationHeader(run, at, missing, lsn);
    const part = bytes.subarray(at, Math.min(at + missing, at - (at % pageSizeBytes) + pageSizeBytes));
    if (part.length === 0) fail('OBJECT_DAMAGED', `the log record at ${lsn} is cut off`);
    parts.push(part);
    missing -= part.length;
    at += part.length;
  }
  return { record: Buffer.concat(parts), end: at };
}

function continuationHeader(run: LogRun, at: number, missing: number, lsn: Lsn): number {
  const isSegmentStart = (lsnValue(run.startLsn) + BigInt(at)) % BigInt(run.segmentSizeBytes) === 0n;
  const size = isSegmentStart ? LONG_PAGE_HEADER_BYTES : SHORT_PAGE_HEADER_BYTES;
  if (at + size > run.bytes.length) fail('OBJECT_DAMAGED', `the log record at ${lsn} is cut off`);
  const continues = (u16(run.bytes, at + 2) & pageFlags.firstIsContinuation) !== 0;
  if (!continues || u32(run.bytes, at + 16) !== missing) {
    fail('OBJECT_DAMAGED', `the log record at ${lsn} is not continued on the next page`);
  }
  return size;
}
