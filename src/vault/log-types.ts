// The log of a database as types: its objects, what is known of them, and the log of one copy.

import type { Lsn, SegmentName } from '../domain/lsn.ts';
import type { Moment } from '../domain/moment.ts';
import type { GetOptions } from '../stores/store.ts';
import type { SealContext } from './sealed.ts';

/** Server clock and a position: everything committed up to `time` lies before or at `lsn`. */
export interface TimeMark {
  readonly time: Moment;
  readonly lsn: Lsn;
}

export interface CommitPoint {
  readonly lsn: Lsn;
  readonly time: Moment;
}

export interface RestorePointMark {
  readonly name: string;
  /** Start of the record; `endLsn` is one past it. */
  readonly lsn: Lsn;
  readonly endLsn: Lsn;
  readonly time: Moment;
}

/** Facts about the log bytes of one object, stored encrypted at its head so that they can be read without the bytes. */
export interface LogHeader {
  readonly timeline: number;
  readonly segmentSizeBytes: number;
  /** First byte and one past the last byte of the log that this object holds. */
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  /** SHA-256 of the plain bytes, lower-case hexadecimal. */
  readonly sha256: string;
  /** First and last transaction end (commit or abort, prepared ones too) whose record *starts* in these bytes. */
  readonly first?: CommitPoint;
  readonly last?: CommitPoint;
  /** Latest transaction end time seen on this timeline up to `toLsn`; never decreases along a timeline, so it can be searched. */
  readonly maxTime?: Moment;
  readonly restorePoints: readonly RestorePointMark[];
  /** Newest mark at or before `toLsn` when the object was written. */
  readonly mark?: TimeMark;
}

/** All that is told of log bytes but their hash. */
export type LogFacts = Omit<LogHeader, 'sha256'>;

/** A piece of log as it will be stored on its copy. */
export interface SealedLog {
  readonly kind: 'segment' | 'extent';
  readonly header: LogHeader;
  /** Plain. */
  readonly bytes: Buffer;
  readonly sealed: Buffer;
}

export interface LogObject {
  readonly kind: 'segment' | 'extent';
  readonly timeline: number;
  readonly segment: SegmentName;
  readonly fromLsn: Lsn;
  /** A closed segment that ends early (its timeline was left) says so in its header only; here `toLsn` is then the header's, once read. */
  readonly toLsn: Lsn;
  readonly key: string;
  readonly sizeBytes: number;
}

export interface LogListing {
  readonly systemId: string;
  readonly objects: readonly LogObject[];
  readonly histories: readonly number[];
  /** Newest mark object, if any; older ones say nothing more. */
  readonly mark?: TimeMark;
}

/**
 * The log of one database cluster on one copy. What stores, and what says what is there, throws why the copy is away (`VAULT_MISSING` when there is
 * no vault in it: a disk that is not mounted looks just like an empty one).
 */
/** What a sealed object of log was found to hold. */
export interface OpenedLog {
  /** As it is written there. */
  readonly header: unknown;
  /** Of the plain bytes. */
  readonly length: number;
  readonly sha256: string;
}

export interface LogVerification {
  /** Opens one, in another thread; `bytes` is gone afterwards. */
  readonly open: (context: SealContext, bytes: Buffer) => Promise<OpenedLog>;
  readonly into: NonNullable<GetOptions['into']>;
}

export interface LogCopy {
  readonly copy: string;
  /** A closed segment. Present with the same plain bytes: fine. With other bytes: `OBJECT_EXISTS` (an alarm). Resolves when durable. */
  putSegment(header: LogHeader, bytes: Uint8Array): Promise<void>;
  /** Only the new bytes of an open segment; short-lived, never locked. Same rule for repeats. */
  putExtent(header: LogHeader, bytes: Uint8Array): Promise<void>;
  /**
   * Makes an object of `bytes`, which nobody may change meanwhile: large ones in threads, several at once, uncopied where they lie in shared memory.
   * Nothing is stored.
   */
  seal(kind: 'segment' | 'extent', facts: LogFacts, bytes: Buffer): Promise<SealedLog>;
  /** As `putSegment` and `putExtent`. */
  put(piece: SealedLog): Promise<void>;
  /** A mark without new bytes (idle server); replaces the older mark objects of this timeline. */
  putMark(timeline: number, mark: TimeMark): Promise<void>;
  putHistory(timeline: number, text: string): Promise<void>;
  list(options?: { timeline?: number; fromSegment?: SegmentName }): Promise<LogListing>;
  /** Keys, of any log, that a tombstone on this copy names: listed until they are swept, and nothing to go on from. */
  named(): Promise<ReadonlySet<string>>;
  readHeader(object: LogObject): Promise<LogHeader>;
  /** Verified plain bytes (GCM, length, SHA-256). */
  read(object: LogObject): Promise<{ header: LogHeader; bytes: Buffer }>;
  /** As `read`, and gives nothing. */
  verify(object: LogObject, how: LogVerification): Promise<void>;
  readHistory(timeline: number): Promise<string>;
  /** Deletes the extents of a segment after proving that its closed object is there and good. `closed`: as it was just put. */
  dropExtents(segment: SegmentName, closed?: SealedLog): Promise<void>;
}
