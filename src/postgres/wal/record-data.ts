// Reads the few kinds of records that recovery targets are made of: transaction ends, restore points, backup ends, checkpoints.

import { fail } from '../../errors/index.ts';
import {
  dataMarkers,
  i64,
  RECORD_HEADER_BYTES,
  resourceManagers,
  transactionKinds,
  u32,
  u64,
  xlogKinds,
} from './format.ts';

/** Positions are plain numbers of the log (`lsnFrom` makes text of them); times are PostgreSQL's microseconds since 2000-01-01 UTC. */
interface Position {
  /** Start of the record. */
  readonly lsn: bigint;
  /** One past the record, aligned: what the server calls its end; after a switch the end of the segment. */
  readonly endLsn: bigint;
}

export type TransactionEnd = 'commit' | 'abort' | 'commit prepared' | 'abort prepared';

export type WalEvent = Position &
  (
    | { readonly type: 'transaction'; readonly kind: TransactionEnd; readonly xid: number; readonly timeMicros: bigint }
    | { readonly type: 'restore point'; readonly name: string; readonly timeMicros: bigint }
    | { readonly type: 'backup end'; readonly backupStartLsn: bigint }
    | {
        readonly type: 'checkpoint';
        readonly shutdown: boolean;
        readonly redoLsn: bigint;
        readonly timeline: number;
        readonly previousTimeline: number;
      }
    | {
        readonly type: 'end of recovery';
        readonly timeMicros: bigint;
        readonly timeline: number;
        readonly previousTimeline: number;
      }
    | { readonly type: 'switch' }
  );

/** Enough for everything in front of a commit's time: header, origin, top-level transaction, length, time. */
const COMMIT_PREFIX_BYTES = 64;

/** How many bytes of a record must be kept to read it; 0: nobody asks for this kind. */
export function bytesWanted(resourceManager: number, info: number, totalBytes: number): number {
  if (resourceManager === resourceManagers.transaction) {
    switch (info & 0x70) {
      case transactionKinds.commit:
      case transactionKinds.abort:
        return Math.min(totalBytes, COMMIT_PREFIX_BYTES);
      case transactionKinds.commitPrepared:
      case transactionKinds.abortPrepared:
        return totalBytes;
      default:
        return 0;
    }
  }
  if (resourceManager !== resourceManagers.xlog) return 0;
  switch (info & 0xf0) {
    case xlogKinds.checkpointShutdown:
    case xlogKinds.checkpointOnline:
    case xlogKinds.switch:
    case xlogKinds.backupEnd:
    case xlogKinds.restorePoint:
    case xlogKinds.endOfRecovery:
      return totalBytes;
    default:
      return 0;
  }
}

export function isSwitch(resourceManager: number, info: number): boolean {
  return resourceManager === resourceManagers.xlog && (info & 0xf0) === xlogKinds.switch;
}

/** The event of the record at `bytes[at…]`, for kinds that `bytesWanted` asks for. Throws `OBJECT_DAMAGED` when its inside makes no sense. */
export function readEvent(bytes: Uint8Array, at: number, major: number, position: Position): WalEvent {
  const info = bytes[at + 16]!;
  if (bytes[at + 17] === resourceManagers.transaction) return readTransactionEnd(bytes, at, major, position);
  const kind = info & 0xf0;
  if (kind === xlogKinds.switch) return { type: 'switch', ...position };
  const data = mainData(bytes, at, position);
  switch (kind) {
    case xlogKinds.restorePoint:
      return { type: 'restore point', ...position, name: cText(bytes, data + 8, 64), timeMicros: i64(bytes, data) };
    case xlogKinds.backupEnd:
      return { type: 'backup end', ...position, backupStartLsn: u64(bytes, data) };
    case xlogKinds.endOfRecovery:
      return {
        type: 'end of recovery',
        ...position,
        timeMicros: i64(bytes, data),
        timeline: u32(bytes, data + 8),
        previousTimeline: u32(bytes, data + 12),
      };
    default:
      return {
        type: 'checkpoint',
        ...position,
        shutdown: kind === xlogKinds.checkpointShutdown,
        redoLsn: u64(bytes, data),
        timeline: u32(bytes, data + 8),
        previousTimeline: u32(bytes, data + 12),
      };
  }
}

function readTransactionEnd(bytes: Uint8Array, at: number, major: number, position: Position): WalEvent {
  const info = bytes[at + 16]!;
  const data = mainData(bytes, at, position);
  const kind = info & 0x70;
  const prepared = kind === transactionKinds.commitPrepared || kind === transactionKinds.abortPrepared;
  const committed = kind === transactionKinds.commit || kind === transactionKinds.commitPrepared;
  return {
    type: 'transaction',
    kind: `${committed ? 'commit' : 'abort'}${prepared ? ' prepared' : ''}`,
    ...position,
    xid: prepared ? preparedTransaction(bytes, data, info, major) : u32(bytes, at + 4),
    timeMicros: i64(bytes, data),
  };
}

/** Sections that may follow a transaction end's time, announced by a word of flags, in this order (`xl_xact_xinfo`). */
const sections = {
  database: 1 << 0,
  subtransactions: 1 << 1,
  relations: 1 << 2,
  invalidations: 1 << 3,
  prepared: 1 << 4,
  droppedStatistics: 1 << 8,
} as const;
const HAS_SECTIONS = 0x80;

function preparedTransaction(bytes: Uint8Array, data: number, info: number, major: number): number {
  if ((info & HAS_SECTIONS) === 0) return 0;
  const flags = u32(bytes, data + 8);
  let at = data + 12;
  const skipList = (flag: number, itemBytes: number) => {
    if ((flags & flag) !== 0) at += 4 + u32(bytes, at) * itemBytes;
  };
  if ((flags & sections.database) !== 0) at += 8;
  skipList(sections.subtransactions, 4);
  skipList(sections.relations, 12);
  // Object ids of statistics grew from 32 to 64 bits in PostgreSQL 18.
  skipList(sections.droppedStatistics, major >= 18 ? 16 : 12);
  skipList(sections.invalidations, 16);
  return (flags & sections.prepared) === 0 ? 0 : u32(bytes, at);
}

/** Offset of the record's own data; the kinds read here have no blocks in front of it. */
function mainData(bytes: Uint8Array, at: number, position: Position): number {
  let offset = at + RECORD_HEADER_BYTES;
  for (;;) {
    switch (bytes[offset]) {
      case dataMarkers.short:
        return offset + 2;
      case dataMarkers.long:
        return offset + 5;
      case dataMarkers.origin:
        offset += 3;
        break;
      case dataMarkers.topLevelTransaction:
        offset += 5;
        break;
      default:
        return fail(
          'OBJECT_DAMAGED',
          `the log record at position ${position.lsn.toString(16)} has no data where it must`,
        );
    }
  }
}

function cText(bytes: Uint8Array, at: number, maxBytes: number): string {
  const field = bytes.subarray(at, at + maxBytes);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('utf8');
}
