// What activities promise, as types: the only thing workflows know of them. Inputs and results are small; large things go by reference.

import type { ComponentId } from '../src/domain/component.ts';
import type { ComponentStatus, LogOutage, SnapshotSummary } from '../src/domain/component-report.ts';
import type { ConfigurationDiffReport, ConfigurationDiffRequest } from '../src/domain/configuration-diff.ts';
import type { CopiesReport } from '../src/domain/copies-report.ts';
import type { DiffFilesRequest, FilesDiff, FilesFound, FindFilesRequest } from '../src/domain/files-history.ts';
import type { FilesPlan, FilesRestored, WrittenFiles } from '../src/domain/files-restore.ts';
import type { ComponentIntegrity } from '../src/domain/integrity.ts';
import type { LoadPlan, LoadResult } from '../src/domain/load.ts';
import type { MirrorReport } from '../src/domain/mirror.ts';
import type {
  CatchUpInput,
  LoadDumpInput,
  RedisKind,
  RestoreDatabaseInput,
  RestoreFilesInput,
  RestorePartInput,
  RestoreRedisInput,
  RunStatus,
  VerificationScope,
} from '../src/domain/operations.ts';
import type { PartPlan, PartResult, RowSum } from '../src/domain/part.ts';
import type { PlanSummary } from '../src/domain/plan-summary.ts';
import type { RedisGiven, RedisPlan } from '../src/domain/redis-restore.ts';
import type { HeldLocks, MarkReport, RetentionPlan, SweepReport } from '../src/domain/retention-report.ts';
import type {
  PointResult,
  PushedHistory,
  RecoveryCheck,
  RestoreResult,
  StoppedServer,
} from '../src/domain/run-data.ts';
import type { CheckReport } from '../src/domain/setup-report.ts';
import type { SlotPressure } from '../src/domain/slot-pressure.ts';
import type { DumpedDatabase } from '../src/postgres/logical/types.ts';
import type { RestoreTimings } from '../src/postgres/types.ts';

export type OperationName = RunStatus['operation'];

// ── Queue of the estate: decisions ───────────────────────────────────────────────────────────────────────────────────

/** An input with everything filled in from the worker's own configuration, and the one id it stands for. */
export interface ResolvedOperation<Input> {
  readonly workflowId: string;
  /** Two runs with the same text ask for the same thing and may be joined; whoever asks for less may join one that does more. */
  readonly request: string;
  readonly input: Input;
}

export interface RunActivities {
  /** Checks an input against its schema and the worker's configuration. Throws `USAGE`, `UNKNOWN_COMPONENT`, `CONFIG_MISMATCH`. */
  resolveOperation(request: { operation: OperationName; input: unknown }): Promise<ResolvedOperation<unknown>>;
  /** Puts a record of a run into the vault; the same record again is fine. */
  putRunRecord(request: { run: string; name: string; data: unknown }): Promise<void>;
  /** Waits for the end of a run that somebody else started. Throws `ALREADY_RUNNING` when it was asked for something else, or for less. */
  awaitRun(request: { workflowId: string; request: string }): Promise<RunStatus>;
}

// ── Queues of a host ─────────────────────────────────────────────────────────────────────────────────────────────────

export interface DatabaseRequest {
  readonly component: ComponentId;
}

export interface IdentifiedDatabase {
  readonly systemId: string;
  readonly versionNum: number;
  readonly timeline: number;
  readonly role: 'primary' | 'standby';
  readonly flushLsn: string;
}

export interface EnsuredLog {
  readonly slot: string;
  /** `remade`: it was gone or had lost log, which is a hole that was recorded. */
  readonly state: 'made' | 'present' | 'remade';
}

export interface CaptureRequest extends DatabaseRequest {
  readonly snapshot: string;
  /** System identifier seen before; another one is refused. */
  readonly systemId: string;
  /** Default in full. */
  readonly capture?: 'incremental';
}

export interface PointRequest extends DatabaseRequest {
  /** System identifier seen before; another one is refused. */
  readonly systemId: string;
  /** Of the restore point that is written where a segment cannot be closed. */
  readonly name: string;
}

export interface LoadStep {
  readonly run: string;
  readonly input: LoadDumpInput;
}

export interface CapturedLogical {
  readonly snapshot: SnapshotSummary;
  /** In words, what a restore from it will lack; absent when that is nothing. */
  readonly warnings?: readonly string[];
}

/** Durable positions of the log as the supervisor's heartbeats and results carry them. */
export interface LogPositions {
  readonly phase: string;
  /** The log is not received, and somebody must know. */
  readonly outage?: LogOutage;
  /** What the slot costs the server; absent while that is not known. */
  readonly slot?: SlotPressure;
  readonly timeline?: number;
  readonly receivedLsn?: string;
  readonly durableLsn?: string;
  readonly durableTime?: string;
  readonly copies: readonly { readonly copy: string; readonly durableLsn?: string; readonly error?: string }[];
}

export interface SuperviseRequest extends DatabaseRequest {
  /** Copies for which a catch-up was asked already. */
  readonly ignoreAway: readonly string[];
  /** They are named again when they still lag after so long; default: never. */
  readonly ignoreForMs?: number;
  /** Return after minutes instead of an hour. */
  readonly soon: boolean;
  /** The loss that was handled already. */
  readonly handledLoss?: string;
  /** The outage that was told already. */
  readonly knownOutage?: LogOutage;
  /** That the slot keeps too much was told already. */
  readonly knownPressure?: boolean;
}

export interface SupervisedLog {
  /**
   * Why the activity returned: time to look at the history, the slot was lost and made again, a copy lags, or the log is not received
   * (`positions.outage`), and is again; the slot keeps so much log that the server is in danger (`positions.slot`), and does not any more.
   */
  readonly outcome: 'due' | 'slot lost' | 'copy away' | 'not received' | 'received again' | 'slot fills' | 'slot eased';
  readonly positions: LogPositions;
  /** Copies that lack something the others have, or cannot be asked. */
  readonly away: readonly string[];
  /** `slot lost`: which loss, so that it is handled once. */
  readonly loss?: string;
  /** `slot lost`: what is known of the hole, for the run's record. */
  readonly hole?: { readonly from?: string; readonly to?: string };
}

export interface VerifiedSnapshot {
  readonly level: 'listed' | 'attested' | 'hashed';
  readonly copies: Readonly<Record<string, 'good' | 'damaged' | 'missing' | 'not checked'>>;
  /** In words: copies that show less than they were seen to hold. Absent when there is none. */
  readonly putBack?: readonly string[];
}

export interface RunOnHost extends DatabaseRequest {
  /** The restore's run id. */
  readonly run: string;
  /** Where the run's plan is beside the data; without it the vault's record of the plan says so. */
  readonly workDirectory?: string;
}

export interface RestoreRequest extends RunOnHost {
  /** Digest of the plan that is carried out; the stored plan must have it. */
  readonly planDigest: string;
}

export interface PartStep extends RestoreRequest {
  readonly input: RestorePartInput;
  readonly database: string;
  readonly production: PartPlan['production'];
}

/** What was taken out of the recovered server: a table's rows summed, or a database with what makes it again. */
export type ExtractedPart =
  | {
      readonly type: 'table';
      readonly owner: string;
      readonly table: RowSum & { readonly columns: readonly string[]; readonly tables: number };
      readonly warnings: readonly string[];
    }
  | { readonly type: 'database'; readonly database: DumpedDatabase };

export interface PlacePart extends PartStep {
  readonly extracted: ExtractedPart;
}

/** What the workflow does not know itself. */
export type PlacedPart = Pick<PartResult, 'tables' | 'rows' | 'sum' | 'kept' | 'warnings'>;

export type PartialTimings = Partial<RestoreTimings>;

export interface PostgresActivities {
  identifyDatabase(request: DatabaseRequest): Promise<IdentifiedDatabase>;
  ensureLog(request: DatabaseRequest): Promise<EnsuredLog>;
  captureBaseBackup(request: CaptureRequest): Promise<SnapshotSummary>;
  /** Ends a segment of the log, waits until the policy's copies have it, and shows that it follows on a base backup. Throws `LOG_HOLE`, `DATABASE_PRIVILEGE`. */
  makePoint(request: PointRequest): Promise<PointResult>;
  /** Dumps every chosen database of the cluster and its globals, proves each dump whole, and commits them as one snapshot. */
  captureLogical(request: CaptureRequest): Promise<CapturedLogical>;
  superviseLog(request: SuperviseRequest): Promise<SupervisedLog>;

  /** What loading a dump would do; with `keep` the plan is stored as a record of the run. */
  planLoad(request: { run: string; input: LoadDumpInput; keep: boolean }): Promise<LoadPlan>;
  /** Throws what is in the way, and `PLAN_CHANGED`. */
  fetchDump(request: LoadStep): Promise<void>;
  makeRoles(request: LoadStep): Promise<void>;
  loadDump(request: LoadStep): Promise<LoadResult>;
  undoLoad(request: LoadStep): Promise<void>;
  undoRoles(request: LoadStep): Promise<void>;
  /** What was fetched for the run is removed from the disk. */
  removeFetched(request: LoadStep): Promise<void>;

  /** Resolves the target and stores the plan as a record of the run; with `keep: false` nothing is stored. */
  planRestore(request: { run: string; input: RestoreDatabaseInput; keep: boolean }): Promise<PlanSummary>;
  /** Checks that the stored plan can still be carried out as it is. Throws `PLAN_CHANGED`. */
  recheckPlan(request: RestoreRequest): Promise<void>;
  prepareRestore(request: RestoreRequest): Promise<void>;
  fetchBaseBackup(request: RestoreRequest): Promise<PartialTimings & { readonly warnings?: readonly string[] }>;
  replayLog(request: RestoreRequest): Promise<PartialTimings>;
  proveRecovery(request: RestoreRequest): Promise<void>;
  promoteRecovered(request: RestoreRequest): Promise<PartialTimings>;
  checkRecovered(request: RestoreRequest): Promise<PartialTimings & { readonly checks?: readonly RecoveryCheck[] }>;
  /** Ends a recovery beside: the server is left running or stopped, as planned. */
  finishBeside(request: RestoreRequest): Promise<RestoreFacts>;
  swapIn(request: RestoreRequest): Promise<PartialTimings>;
  /** Starts the service on the new data and lets the log resume. */
  resumeProduction(request: RestoreRequest): Promise<RestoreFacts>;

  /** What bringing back a table or a database would do; with `keep` the plans are stored as records of the run. */
  planPart(request: { run: string; input: RestorePartInput; keep: boolean }): Promise<PartPlan>;
  /** Throws `PLAN_CHANGED`. */
  recheckPart(request: { run: string; input: RestorePartInput; digest: string }): Promise<void>;
  /** As `prepareRestore`, after what runs that were ended from outside have left in the same place was removed; gives warnings of what could not be. */
  preparePart(request: PartStep): Promise<readonly string[]>;
  /** Takes it out of the recovered server, proven whole. Throws `NOT_FOUND`, `TARGET_UNFIT`. */
  extractPart(request: PartStep): Promise<ExtractedPart>;
  /** Loads and compares it where nobody looks. Throws `DATABASE_IDENTITY`, `RECOVERY_MISMATCH`. */
  loadPart(request: PlacePart): Promise<void>;
  /** Gives it its name, or exchanges the rows. Throws `LOCKED`, `TARGET_UNFIT`, `RECOVERY_MISMATCH`; then nothing is changed. */
  placePart(request: PlacePart): Promise<PlacedPart>;
  /** Drops what was loaded and has no name of its own. */
  undoPart(request: PartStep): Promise<void>;

  // Undo of the above, in any state the journal can be in.
  abandonRestore(request: RunOnHost): Promise<void>;
  stopRecovered(request: RunOnHost): Promise<StoppedServer>;
  undoSwap(request: RunOnHost): Promise<void>;
}

/** The ends of a restore in place, of whatever kind of component. */
export interface EndActivities {
  rollbackRestore(request: RunOnHost): Promise<RestoreEnd>;
  confirmRestore(request: RunOnHost): Promise<RestoreEnd>;
}

/** What a finished recovery says of itself; the workflow adds id, target and timings. */
export type RestoreFacts = Omit<RestoreResult, 'id' | 'component' | 'target' | 'timingsMs'>;

export interface RestoreEnd {
  readonly dataDirectory: string;
  /** Directory that was kept, or removed, in words. */
  readonly message: string;
}

/** A snapshot of something that is no database. */
export interface SnapshotRequest extends DatabaseRequest {
  readonly snapshot: string;
}

export interface CapturedFiles {
  readonly snapshot: SnapshotSummary;
  /** The component has a mirror that is to be brought up now. */
  readonly hasMirror?: true;
  /** In words, what a restore from it will lack; absent when that is nothing. */
  readonly warnings?: readonly string[];
}

export interface MirrorRequest extends DatabaseRequest {
  readonly run?: string;
  /** The snapshot of the same run has far fewer files than the one before: nothing is deleted. */
  readonly farFewer?: true;
}

export interface FilesActivities {
  /** Hooks, scan, reading, commit. Throws `FILES_ROOT`, `PROCESS_FAILED` for a hook; nothing is committed then. */
  captureFiles(request: SnapshotRequest): Promise<CapturedFiles>;
  /** Brings the mirror of a component up. Throws `FILES_ROOT`, `TARGET_UNFIT`, `REMOTE_UNREACHABLE`, `RSYNC_INCOMPLETE`, `LOCKED`. */
  mirrorFiles(request: MirrorRequest): Promise<MirrorReport>;
  /** Which snapshot, and what changes; with `keep` the plan is stored as a record of the run. */
  planFiles(request: { run: string; input: RestoreFilesInput; keep: boolean }): Promise<FilesPlan>;
  /** Throws `PLAN_CHANGED` when it is decided otherwise now, or far more would be taken away. */
  recheckFiles(request: { run: string; input: RestoreFilesInput }): Promise<void>;
  /** Beside, or in place with what was there kept. Throws `TARGET_UNFIT`, `NO_SPACE`, `LOCKED` and what the vault says. */
  restoreFiles(request: FilesStep): Promise<WrittenFiles>;
  /** Looks at every entry once more; `lacking`: how many properties could not be given, which may differ. Beside, it is finished then. Throws `RECOVERY_MISMATCH` for a difference beside, and `CHECK_FAILED` for one in place that nobody else can have made; what others wrote is told. */
  compareFiles(request: FilesStep & { readonly lacking?: number }): Promise<FilesRestored['compared']>;
  /** As it was before, whatever was done. */
  undoFiles(request: FilesStep): Promise<void>;
}

export interface CapturedConfiguration extends CapturedFiles {
  /** How bringing the history to the remote ended; absent without one. */
  readonly push?: PushedHistory;
}

export interface ConfigurationActivities {
  /** Commands, scan, reading, redaction, commit in Git and in the vault, then the push. Throws `FILES_ROOT`, `LOCKED`, `PROGRAM_MISSING`, `BACKUP_INVALID`. */
  captureConfiguration(request: SnapshotRequest): Promise<CapturedConfiguration>;
}

export interface RedisActivities {
  /** Receives an RDB, judges it on its way, and commits it. Throws the `REDIS_…` errors, `BACKUP_INVALID`; nothing is committed then. */
  captureRedis(request: SnapshotRequest & { readonly kind: RedisKind }): Promise<CapturedFiles>;
  /** Which snapshot, where it goes, and what is in the way; with `keep` the plan is stored as a record of the run. */
  planRedis(request: { run: string; input: RestoreRedisInput; keep: boolean }): Promise<RedisPlan>;
  /** Throws `PLAN_CHANGED` when it is decided otherwise now, or the server was started anew. */
  recheckRedis(request: { run: string; input: RestoreRedisInput }): Promise<void>;
  /** Proven in a throwaway server before anything is touched, whichever way. Throws what refuses it, `ROLLED_BACK`, `STUCK`. */
  restoreRedis(request: RedisStep): Promise<RedisGiven>;
  /** As it was before, whatever was done. */
  undoRedis(request: RunOnHost): Promise<void>;
  /** Ends the server that was left beside; its directory stays. */
  stopRedis(request: RunOnHost): Promise<StoppedServer>;
}

export interface RedisStep extends DatabaseRequest {
  readonly run: string;
  /** Digest of the plan that is carried out; the stored plan must have it. */
  readonly planDigest: string;
}

export interface FilesStep extends DatabaseRequest {
  readonly run: string;
  /** Digest of the plan that is carried out; the stored plan must have it. */
  readonly planDigest: string;
  /** Beside: where. What was begun can be undone while no store answers. */
  readonly directory?: string;
}

export interface RetentionRun {
  readonly run: string;
  readonly by: string;
  /** Also marks what is more than `retention.maximum` allows. */
  readonly beyondMaximum?: boolean;
}

export interface VaultActivities {
  /** Never fails for what it finds. */
  verifyIntegrity(
    request: VerificationScope & { run: string; startedAt: string },
  ): Promise<readonly ComponentIntegrity[]>;
  verifySnapshot(request: DatabaseRequest & { snapshot: string }): Promise<VerifiedSnapshot>;
  catchUpCopy(request: CatchUpInput): Promise<{ objects: number; bytes: number; remaining: number }>;
  /** Keeps what is held locked on every copy that locks; of a copy where that fails the answer says why. */
  lockHeld(request: RetentionRun): Promise<readonly HeldLocks[]>;
  /** Digest of what a run would do now. Throws `RETENTION_DOUBT`. */
  planRetention(request: RetentionRun): Promise<{ digest: string }>;
  /** Deletes what is due. Throws `RETENTION_DOUBT`, `LOCKED`. */
  sweepRetention(request: RetentionRun): Promise<SweepReport>;
  /** Names what is not needed; of a component with more than one run may name, nothing. Throws `RETENTION_DOUBT`, `LOCKED`. */
  markRetention(request: RetentionRun): Promise<MarkReport>;
}

/** Questions that only a host with keys can answer; none changes anything, except `check`. */
export interface HostActivities {
  askSnapshots(request: { component?: ComponentId }): Promise<readonly SnapshotSummary[]>;
  askComponents(request: { component?: ComponentId }): Promise<readonly ComponentStatus[]>;
  askCopies(request: Record<string, never>): Promise<CopiesReport>;
  askHistory(request: { component?: ComponentId }): Promise<readonly RunStatus[]>;
  checkComponent(request: DatabaseRequest): Promise<CheckReport>;
  askRetention(request: Record<string, never>): Promise<RetentionPlan>;
  /** Reads the trees of all snapshots. */
  findFiles(request: FindFilesRequest): Promise<FilesFound>;
  /** Reads two trees, or one and the disk. */
  diffFiles(request: DiffFilesRequest): Promise<FilesDiff>;
  askConfigurationDiff(request: ConfigurationDiffRequest): Promise<ConfigurationDiffReport>;
}

/** Everything that runs on the queues of a host. */
export type AllHostActivities = PostgresActivities &
  RedisActivities &
  FilesActivities &
  ConfigurationActivities &
  EndActivities &
  VaultActivities &
  HostActivities;
