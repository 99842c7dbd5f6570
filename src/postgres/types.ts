// The words of the PostgreSQL engine as types: the source, a base backup, the receiver, a recovery plan and its journal.

import type { DatabaseCheck, ServiceSettings } from '../../config/types.ts';
import type { ComponentId } from '../domain/component.ts';
import type { DamageSummary } from '../domain/component-report.ts';
import type { IdleSlot } from '../domain/idle-slot.ts';
import type { Lsn, SegmentName } from '../domain/lsn.ts';
import type { Moment } from '../domain/moment.ts';
import type { SpaceSummary } from '../domain/plan-summary.ts';
import type { RecoveryCheck } from '../domain/run-data.ts';
import type { SlotPressure } from '../domain/slot-pressure.ts';
import type { Target } from '../domain/target.ts';
import type { ErrorCode, ErrorData } from '../errors/index.ts';
import type { SnapshotId } from '../vault/types.ts';
import type { SnapshotFacts } from './facts/types.ts';

// ── The source ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** How to reach the server. The url holds a password: never logged, never in argv, never in an error. */
export interface Source {
  readonly component: ComponentId;
  readonly url: string;
  /** Instead of the url's: a name may have letters that no url can carry to the client library. */
  readonly database?: string;
}

/** Who a cluster is, compared before every step that could harm it. */
export interface ClusterIdentity {
  /** Decimal, as `IDENTIFY_SYSTEM` gives it. */
  readonly systemId: string;
  /** `server_version_num`, for example 170005. */
  readonly versionNum: number;
  readonly major: number;
  readonly timeline: number;
  readonly role: 'primary' | 'standby';
  readonly flushLsn: Lsn;
  readonly segmentSizeBytes: number;
  readonly pageSizeBytes: number;
  readonly pageChecksums: boolean;
  readonly dataDirectory: string;
}

/** One named question about a server, a host or the vault, with what to do when the answer is bad. */
export interface NamedCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen, in words. */
  readonly message: string;
  readonly hint?: string;
  /** Of the error that the question met; a setting that is not as it must be has none. */
  readonly code?: ErrorCode;
}

// ── Protect ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Tablespace {
  readonly oid: number;
  readonly location: string;
  readonly sizeBytes?: number;
}

/** How a base backup is to be captured: all of it, or what changed, laid over an earlier one; every snapshot is whole either way. */
export type CaptureMode = 'full' | 'incremental';

/** How a base backup is read; see {@link CaptureDetails}. */
export type ReadingWay = 'stream' | 'files';

/** How a base backup was captured. Snapshots of before there was a choice say nothing: they are full. */
export interface CaptureDetails {
  readonly capture?: CaptureMode;
  /** What an incremental one was laid over. */
  readonly parent?: SnapshotId;
  /** Of an incremental one: plain bytes of all chunks that its laid-over files refer to, which is what a restore reads for them. */
  readonly chunkBytes?: number;
  /** Why one that was to be incremental was captured in full. */
  readonly fullBecause?: string;
  /** How it was read: by the stream of BASE_BACKUP, or by the files of the data directory. Snapshots of before there was a choice say nothing. */
  readonly way?: ReadingWay;
  /** Why a full one was not read by its files; absent where that was not asked for. */
  readonly streamBecause?: string;
  /** The server that it was read from; default the primary. */
  readonly server?: 'standby';
  /** Why it was not the standby; absent where none is configured. */
  readonly primaryBecause?: string;
}

/** `engine` of a physical snapshot's manifest: everything a restore must know. */
export interface PhysicalDetails extends Record<string, unknown>, CaptureDetails {
  readonly systemId: string;
  readonly versionNum: number;
  readonly major: number;
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  readonly segmentSizeBytes: number;
  readonly pageSizeBytes: number;
  readonly pageChecksums: boolean;
  readonly tablespaces: readonly Tablespace[];
  /** Settings recovery must not go below (max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions, max_locks_per_transaction). */
  readonly recoverySettings: Readonly<Record<string, number>>;
  readonly sharedPreloadLibraries: readonly string[];
  readonly locale: { readonly collate: string; readonly ctype: string; readonly encoding: string };
  /** Total plain size, for the preflight of the target. */
  readonly sizeBytes: number;
  readonly damagedPages: readonly { readonly path: string; readonly block: number }[];
  /** Whose they are, and how many there are in all; absent when there are none, and in snapshots of earlier versions. */
  readonly damaged?: DamageSummary;
  /** Of each database right before the backup began; absent in snapshots of before there were any. */
  readonly facts?: SnapshotFacts;
}

export interface ReceiverCopyState {
  readonly copy: string;
  /** Everything before this position is durable there without a gap since the receiver's origin; absent while unknown. */
  readonly durableLsn?: Lsn;
  readonly behindBytes: number;
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

export interface ReceiverState {
  readonly component: ComponentId;
  readonly phase: 'starting' | 'streaming' | 'reconnecting' | 'paused' | 'stopped' | 'failed';
  readonly systemId?: string;
  readonly timeline?: number;
  readonly receivedLsn?: Lsn;
  /** What the policy calls durable; the only position ever reported to the server as flushed. */
  readonly durableLsn?: Lsn;
  /** Newest moment that could be recovered by the policy's copies. */
  readonly durableTime?: Moment;
  /** For so long nothing more has become durable though log came; 0 when everything received is. */
  readonly stalledMs: number;
  readonly copies: readonly ReceiverCopyState[];
  readonly slot: {
    readonly name: string;
    readonly retainedBytes?: number;
    /** What it costs the server; absent while that is not known. */
    readonly pressure?: SlotPressure;
    /** Others that nobody reads; absent while that is not known. */
    readonly idle?: readonly IdleSlot[];
    /** Whether commits wait for what is reported; absent while nobody reads the slot. */
    readonly syncState?: 'sync' | 'quorum' | 'potential' | 'async';
    readonly state: 'ok' | 'lost' | 'missing' | 'unknown';
  };
  /** The latest trouble, cleared when it is over. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

// ── Recover ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export type RequestedTarget = Target;

/** A target that was resolved against real log: the last record to replay, exactly. */
export interface ResolvedTarget {
  readonly timeline: number;
  /** Start of the last record to replay: `recovery_target_lsn`, inclusive. */
  readonly lastRecordLsn: Lsn;
  /** One past that record: what `pg_last_wal_replay_lsn()` and the new timeline's history file must say. */
  readonly endLsn: Lsn;
  /** Last transaction end replayed after the base backup's start, if any. */
  readonly lastTransaction?: { readonly lsn: Lsn; readonly time: Moment; readonly xid: string };
  /**
   * What `pg_last_xact_replay_timestamp()` must say at the stop: time of the last transaction end in front of the last record, because
   * a server that stops after a record by its position does not take that record's own time into account.
   */
  readonly reportedTime?: Moment;
  /** First transaction end left out, if the log knows one. */
  readonly firstLeftOut?: { readonly lsn: Lsn; readonly time: Moment; readonly xid: string };
  /** The moment recovered to, in time: the requested one, or that of the log's end. */
  readonly moment: Moment;
}

export interface RecoveryWindow {
  readonly component: ComponentId;
  readonly copy: string;
  readonly systemId: string;
  readonly timeline: number;
  readonly from: Moment;
  readonly to: Moment;
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  readonly holes: readonly LogHole[];
}

export interface LogHole {
  readonly timeline: number;
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  readonly after?: Moment;
  readonly before?: Moment;
}

export interface PlannedSegment {
  readonly name: SegmentName;
  readonly timeline: number;
  readonly fromLsn: Lsn;
  /** One past the last byte needed; the rest of the segment is zeros. */
  readonly toLsn: Lsn;
}

export type Place =
  | {
      readonly mode: 'in place';
      readonly dataDirectory: string;
      readonly keepOldAt: string;
      /** The data directory is a mount point or a link: it stays, and its entries are exchanged inside it. */
      readonly inside?: true;
    }
  | {
      readonly mode: 'beside';
      readonly dataDirectory: string;
      readonly start: boolean;
      /** Left running as a streaming replica of the primary, never promoted. */
      readonly standby?: true;
      /** Only there for a while: it gets no name, and whoever finds it after its run has ended removes it. */
      readonly throwaway?: true;
    };

/** Everything that will be done, decided before anything is touched; serves the dry run, the approval, the execution and the report. */
export interface RestorePlan {
  readonly run: string;
  readonly estate: string;
  readonly component: ComponentId;
  readonly host: string;
  readonly requested: RequestedTarget;
  readonly resolved: ResolvedTarget;
  readonly base: {
    readonly snapshot: SnapshotId;
    readonly copy: string;
    readonly from: Moment;
    readonly to: Moment;
    readonly sizeBytes: number;
    /** Why this copy, in words; absent in plans of earlier versions. */
    readonly why?: string;
  };
  readonly source: PhysicalDetails;
  readonly log: {
    readonly copy: string;
    readonly segments: readonly PlannedSegment[];
    /** History files to serve to the recovering server; names it may see so that it never reuses a timeline id. */
    readonly histories: readonly number[];
    readonly bytes: number;
  };
  readonly place: Place;
  /** Working directory of this run beside the data: new data, spool, sockets, journal. */
  readonly workDirectory: string;
  /** Identity of the production cluster that an in-place restore replaces, as seen while planning; absent when it does not run. */
  readonly production?: {
    readonly systemId: string;
    readonly timeline: number;
    readonly dataDirectory: string;
    readonly running: boolean;
  };
  /** What the steps need to know of the host, so that plan and journal alone are enough to finish or to undo. */
  readonly execution: RestoreExecution;
  readonly space: SpaceSummary;
  /** How the facts of the base backup are compared; those of the next one bound what may have happened. Absent in plans of earlier versions. */
  readonly facts?: { readonly withinMs: number; readonly next?: SnapshotFacts };
  /** What the person should know before saying yes. */
  readonly warnings: readonly string[];
  /** Of a dry run: what must be out of the way before this can be done; absent when nothing is. */
  readonly blockers?: readonly ErrorData[];
  /**
   * SHA-256 of the canonical JSON of what a person decides about, so that the plan shown by a dry run or a prompt and the plan made
   * again by the run have the same one: component, host, requested target, base snapshot, timeline, place (mode, data directory, start),
   * source and production identity, and `lastRecordLsn` unless the target is `latest`. Not the run's id, its directories, the free space
   * or the copy that happens to be nearest. Approvals are bound to it.
   */
  readonly digest: string;
}

/** A place outside of the data directory that a link in it leads to; the link stays, what is there is exchanged. In place only. */
export interface LinkedPlace {
  /** In the data directory: `pg_wal`, or `pg_tblspc/16390`. */
  readonly link: string;
  /** What the link says, to be said again. */
  readonly text: string;
  /** Where that is, free of links. */
  readonly directory: string;
  /** Whether the directory itself is renamed, or what is in it. */
  readonly exchange: 'whole' | 'entries';
  /** Directory of this run on the same file system. */
  readonly work: string;
  /** In it: what is recovered, under the link's name in the recovered directory until it is swapped in. */
  readonly made: string;
  /** In it: what was replaced. */
  readonly kept: string;
}

export interface RestoreExecution {
  /** Programs of the snapshot's major version. */
  readonly binDirectory: string;
  /** User that the recovered server runs as; absent: ours. */
  readonly runAs?: string;
  /** Roles to try when asking the recovered server, best first; the first one that exists is enough to find its superuser. */
  readonly roles: readonly string[];
  /** Preload libraries of the source that are harmless and installed here. */
  readonly preloadLibraries: readonly string[];
  /** Where each tablespace of the snapshot ends up. */
  readonly tablespaces: readonly { readonly oid: number; readonly location: string }[];
  /** Places that are exchanged together with the data directory. */
  readonly linked?: readonly LinkedPlace[];
  /** Physical slot to make before production goes on; in place only. */
  readonly slot?: string;
  /** Of a standby: its own slot on the primary. */
  readonly standbySlot?: string;
  /** How production is stopped and started; in place only. */
  readonly service?: ServiceSettings;
  readonly checks: readonly DatabaseCheck[];
  /** Every index is compared with its table, every row read. Default false. */
  readonly deep?: boolean;
}

export interface RestoreTimings {
  readonly fetchMs: number;
  readonly replayMs: number;
  readonly promoteMs: number;
  readonly checksMs: number;
  readonly swapMs: number;
}

/** What was shown to be true of the recovered server, with the numbers that show it. */
export interface RecoveryProof {
  readonly replayedLsn: Lsn;
  readonly recoveredTo: Moment;
  readonly lastTransactionTime?: Moment;
  readonly newTimeline: number;
  readonly checks: readonly RecoveryCheck[];
}
