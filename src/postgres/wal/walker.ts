// Walks write-ahead log bytes from record header to record header and tells of the records that recovery targets are made of.

import { type Lsn, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import {
  LONG_PAGE_HEADER_BYTES,
  majorByPageMagic,
  pageFlags,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  SHORT_PAGE_HEADER_BYTES,
  u16,
  u32,
  u64,
} from './format.ts';
import { bytesWanted, isSwitch, readEvent, type WalEvent } from './record-data.ts';

export interface WalWalkerOptions {
  /** A segment's start; it may lie in the middle of a record, which is then passed over. */
  readonly startLsn: Lsn;
  readonly segmentSizeBytes: number;
  /** The timeline whose log this is. Pages may name an ancestor (they were copied at the switch), never a descendant. */
  readonly timelineHint?: number;
  /** Called in the order of the log, once a record is whole. */
  readonly onEvent?: (event: WalEvent) => void;
}

export interface WalWalker {
  /** The next bytes of the log, cut anywhere. Throws `OBJECT_DAMAGED` when they are not log, or not the log that follows. */
  feed(bytes: Uint8Array): void;
  /** One past the last byte fed. */
  readonly position: Lsn;
  /** The last whole record; `endLsn` as the server counts it (aligned; after a switch the end of the segment). */
  readonly lastRecord: { readonly lsn: Lsn; readonly endLsn: Lsn } | undefined;
  /** Up to here every event is known: `position`, or the start of an unfinished record that may become an event. */
  readonly knownLsn: Lsn;
  /** The log stopped in front of `position`: only zeros follow. */
  readonly ended: boolean;
  /** From the first page; absent before it was seen. */
  readonly major: number | undefined;
  readonly systemId: string | undefined;
}

export function createWalWalker(options: WalWalkerOptions): WalWalker {
  return new Walker(options);
}

const modes = { recordStart: 0, header: 1, body: 2, restOfSegment: 3, ended: 4 } as const;
const UNKNOWN = -1;
const TWO_32 = 4_294_967_296;

/** Positions are kept relative to the start, as numbers: exact up to 8 PiB of log walked, and without allocation. */
class Walker implements WalWalker {
  major: number | undefined;
  systemId: string | undefined;
  private readonly start: bigint;
  private readonly startHigh: number;
  private readonly startLow: number;
  private readonly segmentSizeBytes: number;
  private readonly timelineHint: number;
  private readonly onEvent: ((event: WalEvent) => void) | undefined;
  private pageSizeBytes = 8192;
  private at = 0;
  private mode: number = modes.recordStart;
  private readonly pageHeader = Buffer.alloc(LONG_PAGE_HEADER_BYTES);
  private pageHeaderBytes = 0;
  /** The record being read: start, bytes still to come, bytes kept. */
  private recordAt = UNKNOWN;
  private remaining = 0;
  private kept = Buffer.alloc(1024);
  private keptBytes = 0;
  private wantedBytes = 0;
  private lastAt = UNKNOWN;
  private lastEnd = UNKNOWN;

  constructor(options: WalWalkerOptions) {
    this.start = lsnValue(options.startLsn);
    if (this.start % BigInt(options.segmentSizeBytes) !== 0n) {
      fail('INTERNAL', `the log is walked from a segment's start, got ${options.startLsn}`);
    }
    this.startHigh = Number(this.start >> 32n);
    this.startLow = Number(this.start & 0xffff_ffffn);
    this.segmentSizeBytes = options.segmentSizeBytes;
    this.timelineHint = options.timelineHint ?? 0xffff_ffff;
    this.onEvent = options.onEvent;
  }

  get position(): Lsn {
    return this.lsn(this.at);
  }

  get lastRecord() {
    return this.lastAt === UNKNOWN ? undefined : { lsn: this.lsn(this.lastAt), endLsn: this.lsn(this.lastEnd) };
  }

  get knownLsn(): Lsn {
    const mayBecomeEvent = this.mode === modes.header || (this.mode === modes.body && this.wantedBytes > 0);
    return this.lsn(mayBecomeEvent ? this.recordAt : this.at);
  }

  get ended(): boolean {
    return this.mode === modes.ended;
  }

  feed(bytes: Uint8Array): void {
    const shift = this.at;
    let index = 0;
    while (index < bytes.length) {
      const pageOffset = (shift + index) % this.pageSizeBytes;
      if (pageOffset === 0 || this.pageHeaderBytes > 0) {
        index = this.takePageHeader(bytes, index, shift);
      } else {
        const stop = Math.min(bytes.length, index + this.pageSizeBytes - pageOffset);
        this.takePage(bytes, index, stop, shift);
        index = stop;
      }
      this.at = shift + index;
    }
  }

  private takePageHeader(bytes: Uint8Array, index: number, shift: number): number {
    const pageAt = shift + index - this.pageHeaderBytes;
    const long = pageAt % this.segmentSizeBytes === 0;
    const size = long ? LONG_PAGE_HEADER_BYTES : SHORT_PAGE_HEADER_BYTES;
    const taken = Math.min(size - this.pageHeaderBytes, bytes.length - index);
    this.pageHeader.set(bytes.subarray(index, index + taken), this.pageHeaderBytes);
    this.pageHeaderBytes += taken;
    if (this.pageHeaderBytes < size) return index + taken;
    this.pageHeaderBytes = 0;
    this.beginPage(this.pageHeader, pageAt, long);
    return index + taken;
  }

  private beginPage(header: Buffer, pageAt: number, long: boolean): void {
    const magic = u16(header, 0);
    if (magic === 0) {
      this.beginZeroPage(pageAt);
      return;
    }
    if (this.mode === modes.ended) this.damaged(pageAt, 'goes on after its end');
    const major = majorByPageMagic.get(magic);
    if (major === undefined)
      this.damaged(pageAt, `starts with 0x${magic.toString(16)}, which no supported server writes`);
    this.major = major;
    if (this.distance(u32(header, 8), u32(header, 12)) !== pageAt) this.damaged(pageAt, 'names another position');
    if (u32(header, 4) > this.timelineHint) this.damaged(pageAt, `belongs to timeline ${u32(header, 4)}`);
    const flags = u16(header, 2);
    if (((flags & pageFlags.longHeader) !== 0) !== long) this.damaged(pageAt, 'has the wrong kind of header');
    if (long) this.beginSegment(header, pageAt);
    if (this.mode !== modes.restOfSegment) this.joinPages(flags, u32(header, 16), pageAt);
  }

  private beginSegment(header: Buffer, pageAt: number): void {
    if (u32(header, 32) !== this.segmentSizeBytes) this.damaged(pageAt, `has segments of ${u32(header, 32)} bytes`);
    this.pageSizeBytes = u32(header, 36);
    const systemId = u64(header, 24).toString();
    if (this.systemId !== undefined && this.systemId !== systemId) this.damaged(pageAt, `is of system ${systemId}`);
    this.systemId = systemId;
    if (this.mode === modes.restOfSegment) this.mode = modes.recordStart;
  }

  /** Zeros are the end of the log, but after a switch they fill the rest of the segment. */
  private beginZeroPage(pageAt: number): void {
    if (this.mode === modes.restOfSegment && pageAt % this.segmentSizeBytes !== 0) return;
    this.mode = modes.ended;
  }

  /** What the page says about the record that began before it must be what we know. */
  private joinPages(flags: number, restBytes: number, pageAt: number): void {
    const continues = (flags & pageFlags.firstIsContinuation) !== 0;
    if (this.mode === modes.recordStart) {
      if (!continues) return;
      if (pageAt !== 0) this.damaged(pageAt, 'continues a record that does not exist');
      this.mode = modes.body;
      this.recordAt = UNKNOWN;
      this.remaining = restBytes;
      this.wantedBytes = 0;
      return;
    }
    if (!continues) {
      if ((flags & pageFlags.firstIsOverwrite) === 0) this.damaged(pageAt, 'does not continue the record before it');
      this.mode = modes.recordStart;
      return;
    }
    const missing = this.mode === modes.header ? u32(this.kept, 0) - this.keptBytes : this.remaining;
    if (missing !== restBytes)
      this.damaged(pageAt, `continues a record by ${restBytes} bytes where ${missing} are missing`);
  }

  private takePage(bytes: Uint8Array, from: number, stop: number, shift: number): void {
    let index = from;
    while (index < stop) {
      switch (this.mode) {
        case modes.recordStart:
          index = this.takeRecords(bytes, index, stop, shift);
          break;
        case modes.header:
          index = this.takeHeader(bytes, index, stop, shift);
          break;
        case modes.body:
          index = this.takeBody(bytes, index, stop, shift);
          break;
        default:
          return;
      }
    }
  }

  /** The hot loop: records that lie whole on the page cost four reads and no allocation. */
  private takeRecords(bytes: Uint8Array, from: number, stop: number, shift: number): number {
    const phase = shift % RECORD_ALIGNMENT;
    let index = from;
    for (;;) {
      index += -(phase + index) & (RECORD_ALIGNMENT - 1);
      if (index >= stop) return stop;
      if (stop - index < RECORD_HEADER_BYTES) return this.beginPartialHeader(bytes, index, stop, shift);
      const totalBytes = u32(bytes, index);
      const manager = bytes[index + 17]!;
      const next = index + totalBytes;
      if (manager <= 1 || next > stop || totalBytes < RECORD_HEADER_BYTES) {
        if (!this.beginRecord(bytes, index, shift + index)) return stop;
        if (next > stop || this.wantedBytes > 0) return this.takeBody(bytes, index, stop, shift);
      }
      if (this.lastAt !== UNKNOWN && this.distance(u32(bytes, index + 8), u32(bytes, index + 12)) !== this.lastAt) {
        this.damaged(shift + index, 'does not follow the record before it');
      }
      this.mode = modes.recordStart;
      this.lastAt = shift + index;
      this.lastEnd = aligned(shift + next);
      index = next;
    }
  }

  /** Reads the header at `bytes[index]`; false at the end of the log. The record's bytes are taken from `index` on. */
  private beginRecord(bytes: Uint8Array, index: number, recordAt: number): boolean {
    const totalBytes = u32(bytes, index);
    if (totalBytes === 0) {
      this.mode = modes.ended;
      return false;
    }
    if (totalBytes < RECORD_HEADER_BYTES) this.damaged(recordAt, `claims a length of ${totalBytes} bytes`);
    if (this.lastAt !== UNKNOWN && this.distance(u32(bytes, index + 8), u32(bytes, index + 12)) !== this.lastAt) {
      this.damaged(recordAt, 'does not follow the record before it');
    }
    this.mode = modes.body;
    this.recordAt = recordAt;
    this.remaining = totalBytes;
    this.keptBytes = 0;
    this.wantedBytes = bytesWanted(bytes[index + 17]!, bytes[index + 16]!, totalBytes);
    if (this.wantedBytes > this.kept.length) this.kept = Buffer.alloc(this.wantedBytes * 2);
    return true;
  }

  private beginPartialHeader(bytes: Uint8Array, index: number, stop: number, shift: number): number {
    this.mode = modes.header;
    this.recordAt = shift + index;
    this.keptBytes = 0;
    return this.takeHeader(bytes, index, stop, shift);
  }

  private takeHeader(bytes: Uint8Array, index: number, stop: number, shift: number): number {
    const taken = Math.min(RECORD_HEADER_BYTES - this.keptBytes, stop - index);
    this.kept.set(bytes.subarray(index, index + taken), this.keptBytes);
    this.keptBytes += taken;
    if (this.keptBytes >= 4 && u32(this.kept, 0) === 0) {
      this.mode = modes.ended;
      return stop;
    }
    if (this.keptBytes < RECORD_HEADER_BYTES) return index + taken;
    const header = Buffer.from(this.kept.subarray(0, RECORD_HEADER_BYTES));
    this.beginRecord(header, 0, this.recordAt);
    this.kept.set(header, 0);
    this.keptBytes = RECORD_HEADER_BYTES;
    this.remaining -= RECORD_HEADER_BYTES;
    if (this.remaining === 0) this.endRecord(shift + index + taken);
    return index + taken;
  }

  private takeBody(bytes: Uint8Array, index: number, stop: number, shift: number): number {
    const taken = Math.min(this.remaining, stop - index);
    if (this.keptBytes < this.wantedBytes) {
      const more = Math.min(this.wantedBytes - this.keptBytes, taken);
      this.kept.set(bytes.subarray(index, index + more), this.keptBytes);
      this.keptBytes += more;
    }
    this.remaining -= taken;
    if (this.remaining === 0) this.endRecord(shift + index + taken);
    return index + taken;
  }

  private endRecord(endAt: number): void {
    this.mode = modes.recordStart;
    if (this.recordAt === UNKNOWN) return;
    let end = aligned(endAt);
    const wanted = this.wantedBytes > 0;
    if (wanted && isSwitch(this.kept[17]!, this.kept[16]!)) {
      end = Math.ceil(end / this.segmentSizeBytes) * this.segmentSizeBytes;
      // A switch record that fills its segment to the last byte leaves nothing to pass over.
      if (end > endAt) this.mode = modes.restOfSegment;
    }
    this.lastAt = this.recordAt;
    this.lastEnd = end;
    if (!wanted || this.onEvent === undefined) return;
    const position = { lsn: this.start + BigInt(this.lastAt), endLsn: this.start + BigInt(end) };
    this.onEvent(readEvent(this.kept, 0, this.major!, position));
  }

  private lsn(at: number): Lsn {
    return lsnFrom(this.start + BigInt(at));
  }

  /** A 64-bit position, given as its halves, relative to the start. */
  private distance(low: number, high: number): number {
    return (high - this.startHigh) * TWO_32 + (low - this.startLow);
  }

  private damaged(at: number, what: string): never {
    return fail('OBJECT_DAMAGED', `the log at ${this.lsn(at)} ${what}`, { details: { lsn: this.lsn(at) } });
  }
}

/** The start is a segment's, so alignment relative to it is alignment in the log. */
function aligned(at: number): number {
  return Math.ceil(at / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}
