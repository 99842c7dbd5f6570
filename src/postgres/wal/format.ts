// The layout of write-ahead log pages and records that the walker relies on, for PostgreSQL 15 to 18, little-endian.

/** First two bytes of every page, per major version (`XLOG_PAGE_MAGIC`; read off the files of each server in the tests). */
export const majorByPageMagic: ReadonlyMap<number, number> = new Map([
  [0xd110, 15],
  [0xd113, 16],
  [0xd116, 17],
  [0xd118, 18],
]);

/** Header of every page but a segment's first: magic, flags, timeline, address, rest of the record that began before. */
export const SHORT_PAGE_HEADER_BYTES = 24;
/** Header of a segment's first page: the short one, then system identifier, segment size, page size. */
export const LONG_PAGE_HEADER_BYTES = 40;
/** Total length, transaction, previous record, flags, resource manager, CRC. */
export const RECORD_HEADER_BYTES = 24;
/** Records start at multiples of this (`MAXALIGN`, 8 on every 64-bit platform). */
export const RECORD_ALIGNMENT = 8;

export const pageFlags = {
  firstIsContinuation: 0x0001,
  longHeader: 0x0002,
  /** The record that began before was never finished (the server crashed); the page starts anew. */
  firstIsOverwrite: 0x0008,
} as const;

export const resourceManagers = { xlog: 0, transaction: 1 } as const;

/** Upper half of `xl_info` for the resource manager XLOG. */
export const xlogKinds = {
  checkpointShutdown: 0x00,
  checkpointOnline: 0x10,
  switch: 0x40,
  backupEnd: 0x50,
  restorePoint: 0x70,
  endOfRecovery: 0x90,
} as const;

/** `xl_info & 0x70` for the resource manager Transaction. */
export const transactionKinds = {
  commit: 0x00,
  abort: 0x20,
  commitPrepared: 0x30,
  abortPrepared: 0x40,
} as const;

/** Ids that stand where a block number would, in front of a record's own data. */
export const dataMarkers = { topLevelTransaction: 252, origin: 253, long: 254, short: 255 } as const;

export function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

export function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function u64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(u32(bytes, at + 4)) << 32n) | BigInt(u32(bytes, at));
}

export function i64(bytes: Uint8Array, at: number): bigint {
  return BigInt.asIntN(64, u64(bytes, at));
}
