// Positions in the write-ahead log and the names of its segments (PostgreSQL manual, "WAL Internals").

import { fail } from '../errors/index.ts';

/** A log sequence number as PostgreSQL writes it: `0/16B3748`, upper-case hexadecimal. */
export type Lsn = string & { readonly __brand: 'Lsn' };

/** The 24 hexadecimal digits of a segment file: timeline, high and low part. */
export type SegmentName = string & { readonly __brand: 'SegmentName' };

const LSN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

export function parseLsn(text: string): Lsn {
  return (
    tryParseLsn(text) ??
    fail('MOMENT_INVALID', `expected a log position, got '${text}'`, {
      hint: 'write it as PostgreSQL shows it, such as 0/16B3748',
    })
  );
}

/** Nothing for what is no position. */
export function tryParseLsn(text: string): Lsn | undefined {
  const trimmed = text.trim();
  return LSN.test(trimmed) ? lsnFrom(lsnValue(trimmed as Lsn)) : undefined;
}

export function lsnValue(lsn: Lsn): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

export function lsnFrom(value: bigint): Lsn {
  const hex = (n: bigint) => n.toString(16).toUpperCase();
  return `${hex(value >> 32n)}/${hex(value & 0xffff_ffffn)}` as Lsn;
}

/** Negative, zero or positive, as `a` lies before, at or after `b`. */
export function compareLsn(a: Lsn, b: Lsn): number {
  const difference = lsnValue(a) - lsnValue(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export function maxLsn(a: Lsn, b: Lsn): Lsn {
  return compareLsn(a, b) >= 0 ? a : b;
}

/** Bytes from `from` to `to`; negative when `to` lies before. */
export function lsnDistance(from: Lsn, to: Lsn): number {
  return Number(lsnValue(to) - lsnValue(from));
}

/** Number of the segment that holds the byte at `lsn`. */
export function segmentNumber(lsn: Lsn, segmentSize: number): bigint {
  return lsnValue(lsn) / BigInt(segmentSize);
}

export function segmentStart(segment: bigint, segmentSize: number): Lsn {
  return lsnFrom(segment * BigInt(segmentSize));
}

const hex8 = (n: bigint | number) => n.toString(16).toUpperCase().padStart(8, '0');

export function segmentName(timeline: number, segment: bigint, segmentSize: number): SegmentName {
  const perHigh = 0x1_0000_0000n / BigInt(segmentSize);
  return `${hex8(timeline)}${hex8(segment / perHigh)}${hex8(segment % perHigh)}` as SegmentName;
}

export function segmentNameAt(timeline: number, lsn: Lsn, segmentSize: number): SegmentName {
  return segmentName(timeline, segmentNumber(lsn, segmentSize), segmentSize);
}

export function parseSegmentName(name: string, segmentSize: number): { timeline: number; segment: bigint } {
  if (!/^[0-9A-F]{24}$/.test(name)) fail('INTERNAL', `'${name}' is not the name of a log segment`);
  const perHigh = 0x1_0000_0000n / BigInt(segmentSize);
  const [timeline, high, low] = [name.slice(0, 8), name.slice(8, 16), name.slice(16)].map((part) =>
    BigInt(`0x${part}`),
  );
  return { timeline: Number(timeline), segment: (high as bigint) * perHigh + (low as bigint) };
}
