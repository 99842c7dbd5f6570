// What is told of a component: its snapshots, the moments it can be recovered to, its copies, and what is not as promised.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { CopyVerified } from './copy-verified.ts';
import type { Disaster } from './disasters.ts';
import type { IdleSlot } from './idle-slot.ts';
import type { Lsn } from './lsn.ts';
import type { MirrorReport } from './mirror.ts';
import type { Moment } from './moment.ts';
import type { NamedPath } from './path-text.ts';
import type { SlotPressure } from './slot-pressure.ts';
import type { JournalPhase } from './standalone.ts';
import type { ProofLevel, SnapshotKind } from './states.ts';

export interface SnapshotSummary {
  readonly id: string;
  readonly component: ComponentId;
  readonly kind: SnapshotKind;
  readonly from: Moment;
  readonly to: Moment;
  readonly state: 'clean' | 'damaged';
  readonly bytes: { readonly read: number; readonly new: number; readonly stored: number };
  readonly copies: Readonly<Record<string, 'present' | 'absent' | 'away'>>;
  /** How a physical snapshot was captured; it is whole either way. */
  readonly capture?: 'full' | 'incremental';
  /** What an incremental one was laid over. */
  readonly parent?: string;
  /** Why one that was to be incremental was captured in full. */
  readonly fullBecause?: string;
  /** How a physical snapshot was read: by the stream of the server, or by its files at hand. */
  readonly way?: 'stream' | 'files';
  /** Why a full one was not read by its files. */
  readonly streamBecause?: string;
  /** The server that a physical snapshot was read from; absent: the primary. */
  readonly server?: 'standby';
  /** Why it was not the standby, where one is configured. */
  readonly primaryBecause?: string;
  /** Positions a physical snapshot starts and stops at. */
  readonly lsn?: { readonly from: Lsn; readonly to: Lsn; readonly timeline: number };
  /** Absent: no page is. */
  readonly damaged?: DamageSummary;
  /** What was noted of its databases, to be compared after a restore; absent where it has none. */
  readonly facts?: FactsSummary;
  /** Of a snapshot of Redis: what is in it. */
  readonly redis?: RedisSummary;
  /** Of a snapshot of files, or of configuration: what is in it, and what is not. */
  readonly files?: FilesSummary;
  readonly configuration?: ConfigurationSummary;
  /** Of a logical snapshot: each database with the instant that its dump shows. */
  readonly databases?: readonly { readonly name: string; readonly moment: Moment; readonly bytes: number }[];
}

/** Pages whose checksum was wrong when they were read, of one relation. */
export interface DamagedRelation {
  /** Where it could be found out: the server may not know the file any more, or not let us in. */
  readonly database?: string;
  /** Schema and name, quoted where SQL needs it. */
  readonly name?: string;
  readonly kind: 'table' | 'index' | 'TOAST table' | 'TOAST index' | 'materialized view' | 'sequence' | 'unknown';
  /** Table that an index, a TOAST table or its index belongs to. */
  readonly of?: string;
  /** Absent: the data itself. */
  readonly part?: 'free space map' | 'visibility map' | 'initialisation fork';
  /** File, or the first of its files, below the data directory. */
  readonly path: string;
  /** First and last of each range. */
  readonly blocks: readonly (readonly [number, number])[];
  /** Blocks that are damaged and not in `blocks`. */
  readonly moreBlocks?: number;
  /** The way out, with the statement where one helps. */
  readonly hint: string;
}

export interface DamageSummary {
  readonly pages: number;
  readonly relations: readonly DamagedRelation[];
  /** Relations that are not in the list. */
  readonly moreRelations?: number;
}

/** Noted of the RDB itself. */
export interface RedisSummary {
  readonly keys: number;
  /** Keys that never expire. */
  readonly persistent: number;
  /** Keys by type. */
  readonly types: Readonly<Record<string, number>>;
  readonly sizeBytes: number;
  /** Of append-only files, whose keys are those of their newest base: which moments can be restored. */
  readonly window?: {
    readonly from: Moment;
    /** Any second of it; otherwise only the beginnings of sets, and the end. */
    readonly isTimed: boolean;
    /** It begins where that of the capture before ended. */
    readonly joins: boolean;
    readonly gaps: number;
    /** Why append-only files since the capture before are in no snapshot; absent when all are. */
    readonly lost?: readonly string[];
  };
  /** Server that wrote it. */
  readonly writtenBy: string;
  readonly role: 'primary' | 'replica';
  /** Modules whose data is in it; absent when there is none. */
  readonly modules?: readonly string[];
  /** Why what was noted is of a part of it only. */
  readonly missing?: string;
}

/** Of a snapshot of configuration: its commit, its commands, and what was found on the way; no secret is in it. */
export interface ConfigurationSummary {
  readonly commit: string;
  /** Whether the commit was made for this snapshot. */
  readonly isNew: boolean;
  /** In words, what changed. */
  readonly change: string;
  readonly commands: number;
  /** `globals: ended with exit status 1`. */
  readonly failed: Named;
  /** Paths that are not there. */
  readonly missing: Named;
  /** Patterns that match nothing. */
  readonly unmatched: Named;
  /** Commands that succeeded and printed nothing. */
  readonly empty: Named;
  /** By place, line and kind: what Git did not get. */
  readonly secrets: Named;
  /** Files and outputs of which Git has no text, and why. */
  readonly withheld: Named;
  /** Why older history could not be gone on with. */
  readonly begunAnew?: string;
}

/** Of what could not be had, the first few are named. */
export interface FilesSummary {
  readonly files: number;
  readonly directories: number;
  /** Symbolic and hard links, pipes and devices. */
  readonly others: number;
  readonly sizeBytes: number;
  /** Files that were taken over unread. */
  readonly unchangedFiles: number;
  /** Files in the snapshot before; absent when there was none. */
  readonly filesBefore?: number;
  /** What may not, or could not, be read: not in the snapshot. */
  readonly unseen: Named;
  /** Gone between the scan and the reading. */
  readonly vanished: Named;
  /** Changed again and again while they were read: their bytes are of no single moment. */
  readonly torn: Named;
  /** What the rules leave out, but for patterns: mounts, sockets, caches, large files. */
  readonly leftOut: Named;
  /** Why the snapshot before could not be gone by: everything was read again. */
  readonly parentUnread?: string;
}

export interface Named {
  readonly count: number;
  /** In words; the first few. */
  readonly first: readonly string[];
}

export interface FactsSummary {
  readonly databases: number;
  /** Tables that are noted, those of them that were counted and not estimated, and their rows together. */
  readonly tables: number;
  readonly counted: number;
  readonly rows: number;
  readonly maxima: number;
  /** Tables that are not noted, by reason; absent when there are none. */
  readonly notCounted?: Readonly<Record<string, number>>;
  /** In words, what could not be read; absent when that is nothing. */
  readonly missing?: readonly string[];
}

/** Moments a component can be recovered to, by the copies together. */
export interface WindowSummary {
  readonly from: Moment;
  readonly to: Moment;
  /** Of a component without a log: only the moments of so many snapshots, the first and the last of which are named. */
  readonly snapshots?: number;
  /** Where there is a log. */
  readonly fromLsn?: Lsn;
  readonly toLsn?: Lsn;
  readonly timeline?: number;
  readonly holes: readonly {
    readonly timeline: number;
    readonly fromLsn: Lsn;
    readonly toLsn: Lsn;
    readonly after?: Moment;
    readonly before?: Moment;
  }[];
}

export interface Finding {
  /** `late`: the component is not what was promised. `warning`: it is, but not for long, or not everywhere. `hint`: it is, and could be better. */
  readonly severity: 'late' | 'warning' | 'hint';
  readonly message: string;
  readonly hint: string;
}

/** The log of a component is not received: since when (ISO 8601, UTC), and why. */
export interface LogOutage extends ErrorData {
  readonly since: string;
}

/** What only the process that receives the log knows of it. */
export interface LogReception {
  readonly outage?: LogOutage;
  readonly slot?: SlotPressure;
  /** Slots of others that nobody reads. */
  readonly idle?: readonly IdleSlot[];
  readonly commits?: CommitsWait;
}

/** Of a database whose commits are to wait for the copies. */
export interface CommitsWait {
  /** As the server sees the receiver: commits wait for it (`sync`, `quorum`), might (`potential`), or do not (`async`). */
  readonly state: 'sync' | 'quorum' | 'potential' | 'async' | 'unknown';
  /** So long nothing has become durable though something was to. */
  readonly stalledSeconds: number;
}

export interface ComponentCopy {
  readonly copy: string;
  /** `unknown` is never good: the copy could not be asked, or answered only in part. */
  readonly state: 'complete' | 'behind' | 'away' | 'unknown';
  readonly snapshotsBehind?: number;
  readonly logBehindBytes?: number;
  readonly logBehindSeconds?: number;
  /** This copy's own window, when it has one. */
  readonly window?: WindowSummary;
  /** What was read of the component's bytes there; absent when that could not be asked. */
  readonly verified?: CopyVerified;
  readonly error?: ErrorData;
}

/** What a restore has left and nobody has ended. */
export interface OpenRestore {
  readonly run: string;
  /**
   * `unconfirmed`: in place and done, the old data is kept until `confirm` or `rollback`. `stopped`: in place, not ended, and nobody is
   * at it. `serving`: beside, its server runs. `left`: recovered for a while, by a run that was ended from outside and whose server may run.
   * `uncleared`: in place, confirmed or rolled back, and what it kept is not wholly removed.
   */
  readonly state: 'unconfirmed' | 'stopped' | 'serving' | 'left' | 'uncleared';
  readonly dataDirectory: string;
  /** ISO 8601, UTC. */
  readonly since: string;
  /** Where the old data is. */
  readonly keptAt?: string;
  /** Of one that is left: no journal beside it tells whose it is. */
  readonly withoutJournal?: true;
  /** Of one that stopped, where its journal could be read, or that is not cleared. */
  readonly phase?: JournalPhase;
}

export type ConfigurationDrift =
  | {
      readonly state: 'none' | 'drifted';
      /** Id of a snapshot. */
      readonly since: string;
      readonly names: {
        readonly count: number;
        readonly first: readonly (NamedPath & { readonly what: string })[];
      };
      /** Files that only reading tells of, beyond what is read for a status. */
      readonly notRead: number;
      /** What commands would say now is no part of it. */
      readonly commands: 'not asked';
    }
  | { readonly state: 'unknown'; readonly because: string };

export interface ComponentStatus {
  readonly component: ComponentId;
  readonly host: string;
  /** `late` when any finding is; `unknown` when the host could not say. */
  readonly state: 'ok' | 'late' | 'unknown';
  readonly window?: WindowSummary;
  readonly copies: readonly ComponentCopy[];
  readonly lastSnapshot?: SnapshotSummary;
  /** Best proof of the newest proven snapshot. */
  readonly proven?: { readonly level: ProofLevel; readonly at: Moment; readonly snapshot: string };
  /** `nowSeconds`: what would be lost if the database's host were lost now; absent when it cannot be told. */
  readonly rpo: {
    readonly nowSeconds?: number;
    readonly objectiveSeconds?: number;
    /** The same for each disaster by itself: the host, the site, and each account; absent when the host could not say. */
    readonly disasters?: readonly Disaster[];
  };
  /** What the replication slot costs the server, by the worker that receives the log; absent when no worker was asked. */
  readonly slot?: SlotPressure;
  /** Other slots that nobody reads, the one that keeps most log first; absent when no worker was asked. */
  readonly idleSlots?: readonly IdleSlot[];
  /** Whether commits wait for the copies, where `log.synchronous` asks for it; absent when no worker was asked. */
  readonly commits?: CommitsWait;
  /** Of files that have one, told by the component's own host. */
  readonly mirror?: MirrorReport & { readonly behindSeconds?: number };
  /** Of configuration: what is on its host now and not as the newest snapshot has it; absent where only its host could tell, or there is no snapshot. */
  readonly drift?: ConfigurationDrift;
  /** Those that were found; absent when none was and not all could be looked for, which is a finding. */
  readonly restores?: readonly OpenRestore[];
  /** In words, what could not be looked for; absent when `restores` has all. */
  readonly restoresUnknown?: readonly string[];
  readonly findings: readonly Finding[];
}
