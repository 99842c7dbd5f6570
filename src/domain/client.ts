// What the command line asks of the rest, as types: the client of the workflows, what one host answers by itself, and the reports they give.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { CopiesReport } from './copies-report.ts';
import type { CopyVerified } from './copy-verified.ts';
import type { ComponentIntegrity } from './integrity.ts';
import type { Lsn } from './lsn.ts';
import type { Moment } from './moment.ts';
import type {
  ApplyRetentionInput,
  BackupDatabaseInput,
  CatchUpInput,
  RestoreDatabaseInput,
  RunReferenceInput,
  RunStatus,
  VerifySnapshotsInput,
} from './operations.ts';
import type { PlanSummary } from './plan-summary.ts';
import type { MarkReport, RetentionPlan, SweepReport } from './retention-report.ts';
import type { ProofLevel, SnapshotKind } from './states.ts';

// ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A run that was started or joined. */
export interface RunHandle {
  /** As people name it (`restore-3f9a1c2b`): key of its records in the vault. */
  readonly runId: string;
  readonly workflowId: string;
  /** Page of the run in the Temporal UI; absent when the configuration names no `ui`. */
  readonly url?: string;
}

/**
 * The workflows as the command line uses them; `connectClient(configuration)` in `src/temporal/client.ts` makes one
 * (throws `TEMPORAL_UNREACHABLE`). `run` is a run's id, a workflow id, or a component, which stands for its latest run
 * (`NOT_FOUND` when there is none). No method waits for ever for a worker: `NO_WORKER` names the queue nobody listens on.
 */
export interface HoldfastClient {
  startBackup(input: BackupDatabaseInput): Promise<RunHandle>;
  startRestore(input: RestoreDatabaseInput): Promise<RunHandle>;
  startRollback(input: RunReferenceInput): Promise<RunHandle>;
  startConfirm(input: RunReferenceInput): Promise<RunHandle>;
  startCatchUp(input: CatchUpInput): Promise<RunHandle>;
  startRetention(input: ApplyRetentionInput): Promise<RunHandle>;
  startVerify(input: VerifySnapshotsInput): Promise<RunHandle>;

  /**
   * Reports the run's status whenever it changed and resolves with the final one: also for a run that failed, was rolled back or is
   * stuck (its `error` says so), because that is an answer. A run that waits
   * for an approval is followed on. Rejects with `CANCELLED` when `signal` is aborted; the run itself goes on.
   */
  follow(handle: RunHandle, onStatus: (status: RunStatus) => void, signal?: AbortSignal): Promise<RunStatus>;
  /** Now, from the query `status`, or from the closed run. */
  status(run: string): Promise<RunStatus>;
  /** The handle of a run that exists. */
  handle(run: string): Promise<RunHandle>;
  /** Throws `PLAN_CHANGED` when `planDigest` is not the digest of the plan that waits, `JOURNAL_STATE` when nothing waits. */
  approve(run: string, planDigest: string, by: string): Promise<RunStatus>;
  deny(run: string, planDigest: string, by: string): Promise<RunStatus>;
  /** Asks the run to stop and undo; resolves when the request was taken, not when the undo is done. */
  cancel(run: string): Promise<void>;

  /** The plan that `startRestore` with the same input would follow: made on the component's host, touches nothing. */
  plan(input: RestoreDatabaseInput): Promise<PlanSummary>;
  /** Ends the recovered server that `--beside DIR --start` left running, and leaves its directory. */
  stopServer(input: RunReferenceInput): Promise<StoppedServer>;

  /** Brings the Temporal Schedules in step with the configuration: makes, changes, removes; `dryRun` only says what it would do. */
  applySchedules(options: { readonly dryRun: boolean }): Promise<readonly ScheduleChange[]>;
  listSchedules(): Promise<readonly ScheduleStatus[]>;
  /** Registers the search attributes of `src/domain/ids.ts` that are missing; returns their names. */
  registerSearchAttributes(): Promise<readonly string[]>;
  /** Starts `shipLog` of a component if it is not running; `started` false when it was. */
  ensureShipping(component: ComponentId): Promise<RunHandle & { readonly started: boolean }>;

  /** Runs that are open, of one component or all; newest first. */
  running(component?: ComponentId): Promise<readonly RunStatus[]>;
  /** Open and closed runs Temporal still remembers, joined with the records in the vault; newest first. */
  history(component?: ComponentId): Promise<readonly RunStatus[]>;

  // Answers that only a host with keys can give: small workflows that run the `HostService` method of the same name there.
  snapshots(component?: ComponentId): Promise<readonly SnapshotSummary[]>;
  components(): Promise<readonly ComponentStatus[]>;
  copies(): Promise<CopiesReport>;
  check(component: ComponentId): Promise<CheckReport>;
  retention(): Promise<RetentionPlan>;

  close(): Promise<void>;
}

// ── What one host answers by itself ──────────────────────────────────────────────────────────────────────────────────

/**
 * What a host can say with its keys to vault and databases and without Temporal; `openHostService` in `src/host/service.ts` makes
 * one. Activities run these methods for `HoldfastClient`; the command line calls them itself when Temporal can't be reached.
 * Every method asks, none changes anything, except `check`, which makes the server switch to a new segment.
 */
export interface HostService {
  snapshots(component?: ComponentId): Promise<readonly SnapshotSummary[]>;
  /** Of one component, or of every one whose `host` this is; never throws for one component's trouble: it is a finding. */
  components(component?: ComponentId): Promise<readonly ComponentStatus[]>;
  copies(): Promise<CopiesReport>;
  /** Forces a segment switch and waits until *that* segment is on *every* copy, or `waitSeconds` (default 120) are over. */
  check(component: ComponentId, options?: { waitSeconds?: number; signal?: AbortSignal }): Promise<CheckReport>;
  /** What is kept and why, and what `retention apply` would do now. */
  retention(): Promise<RetentionPlan>;
  /** Final statuses kept under `runs/`, newest first. */
  history(component?: ComponentId): Promise<readonly RunStatus[]>;
  close(): Promise<void>;
}

// ── What the journal beside the data lets a person do ────────────────────────────────────────────────────────────────

/** A restore in place as its journal tells it. */
export interface StandaloneRestore {
  readonly run: string;
  readonly component: ComponentId;
  readonly dataDirectory: string;
  readonly phase:
    | 'preparing'
    | 'finished'
    | 'swapping'
    | 'swapped'
    | 'rolling back'
    | 'rolled back'
    | 'confirming'
    | 'confirmed'
    | 'abandoned';
  /** Last line of the journal (`keep old begin`), and its time. */
  readonly lastStep: string;
  readonly at: string;
}

/**
 * Restores in place on this host, ended by their journals alone; `openStandaloneRestores` in `src/host/standalone.ts` makes one. No
 * Temporal server is asked: whether a run is still open there cannot be known, so lock and lease decide. Each method may be done
 * again after any failure. Throws `LOCKED` while a worker is at a step or another run holds the lease, `NOT_FOUND` without a
 * journal, `JOURNAL_STATE` when the restore was ended otherwise, `DATABASE_IDENTITY` on any doubt.
 */
export interface StandaloneRestores {
  /** Newest last. */
  list(component?: ComponentId): Promise<readonly StandaloneRestore[]>;
  /** Goes on from where the journal is, up to the finished swap. */
  resume(run: string): Promise<RunStatus>;
  rollback(run: string): Promise<RunStatus>;
  confirm(run: string): Promise<RunStatus>;
  close(): Promise<void>;
}

// ── Reports ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface SnapshotSummary {
  readonly id: string;
  readonly component: ComponentId;
  readonly kind: SnapshotKind;
  readonly from: Moment;
  readonly to: Moment;
  readonly state: 'clean' | 'damaged';
  readonly bytes: { readonly read: number; readonly new: number; readonly stored: number };
  readonly copies: Readonly<Record<string, 'present' | 'absent' | 'away'>>;
  /** Positions a physical snapshot starts and stops at. */
  readonly lsn?: { readonly from: Lsn; readonly to: Lsn; readonly timeline: number };
}

/** Moments a component can be recovered to, by the copies together. */
export interface WindowSummary {
  readonly from: Moment;
  readonly to: Moment;
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  readonly timeline: number;
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
  readonly rpo: { readonly nowSeconds?: number; readonly objectiveSeconds?: number };
  readonly findings: readonly Finding[];
}

export interface CopyStatus {
  readonly copy: string;
  readonly site: string;
  readonly medium: string;
  readonly offsite: boolean;
  readonly location: string;
  readonly state: 'ready' | 'away';
  readonly error?: ErrorData;
  /** What it holds of everything that is configured; absent when that could not be read. */
  readonly holds?: CopyHoldings;
  /** Mode of Object Lock that the configuration asks for; `setup` tries it. */
  readonly lock?: 'compliance' | 'governance';
  readonly storageClass?: string;
  /** Encryption by the store that the configuration asks for. */
  readonly sse?: string;
  /** The component of which least is known; absent when that could not be asked. */
  readonly verified?: CopyVerified;
  /** Room on the file system of a directory; a bucket does not say. */
  readonly freeBytes?: number;
}

export interface CopyHoldings {
  /** Worst of the components. */
  readonly state: ComponentCopy['state'];
  readonly snapshots: number;
  readonly newest?: { readonly id: string; readonly to: Moment };
  readonly snapshotsBehind: number;
  /** Sum over the components, and of the component that is furthest behind. */
  readonly logBehindBytes: number;
  readonly logBehindSeconds: number;
}

/** A way to open the vault: one slot object, or a key of the configuration that has none. */
export interface KeyStatus {
  readonly key: string;
  /** `missing`: configured, and the vault has no slot for it. `removed`: left on copies that were away since. */
  readonly state: 'live' | 'missing' | 'removed';
  readonly kind?: 'file' | 'passphrase' | 'kms';
  readonly object?: string;
  readonly created?: string;
  readonly copies: Readonly<Record<string, 'present' | 'absent' | 'damaged' | 'away'>>;
  /** Whether this host's configuration opened it right now. */
  readonly opens: boolean;
  /** Why it does not. */
  readonly error?: ErrorData;
}

/** One slot object on one copy, opened from scratch. */
export interface KeyTest {
  readonly key: string;
  readonly object?: string;
  readonly copy?: string;
  readonly ok: boolean;
  readonly error?: ErrorData;
}

export interface KeyChange {
  readonly key: string;
  readonly change: 'added' | 'rotated' | 'removed' | 'unchanged';
  /** The slot object that opens the vault now. */
  readonly object?: string;
  readonly removed: readonly string[];
  readonly copies: readonly string[];
  readonly behind: readonly { readonly copy: string; readonly error: ErrorData }[];
  /** The key file that was made. */
  readonly file?: string;
}

/** One named question with its answer; `ok: false` comes with what to do. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly hint?: string;
}

export interface CheckReport {
  readonly component: ComponentId;
  readonly ok: boolean;
  readonly checks: readonly CheckResult[];
  /** The segment that was closed for this check, and how long each copy took to have it. */
  readonly segment?: {
    readonly name: string;
    readonly lsn: Lsn;
    readonly copies: Readonly<Record<string, number | null>>;
  };
}

export interface SetupStep {
  /** `vault`, `copy eu`, `database/main slot`, … */
  readonly name: string;
  /** `present`: it was so before; `planned`: a dry run would do it. */
  readonly state: 'done' | 'present' | 'planned' | 'failed' | 'skipped';
  readonly message: string;
  readonly error?: ErrorData;
}

export interface SetupReport {
  readonly ok: boolean;
  readonly steps: readonly SetupStep[];
}

export interface ScheduleStatus {
  readonly id: string;
  /** `vault`: retention, which is about all components. */
  readonly component: ComponentId | 'vault';
  readonly kind: string;
  /** As written in the configuration (`daily 02:00`). */
  readonly spec: string;
  readonly timezone: string;
  readonly paused: boolean;
  readonly next?: string;
  readonly last?: { readonly at: string; readonly run?: string; readonly state?: string };
  /** Runs that should have started and did not since the schedule was made (`describe()` counts them). */
  readonly missed: number;
  /** Not in the configuration any more, or other than it says: `schedules apply` mends it. */
  readonly drift?: 'surplus' | 'different' | 'missing';
}

export interface ScheduleChange {
  readonly id: string;
  readonly change: 'created' | 'updated' | 'removed' | 'unchanged';
  readonly spec: string;
}

export interface StoppedServer {
  readonly run: string;
  readonly dataDirectory: string;
  /** False when it was not running any more. */
  readonly stopped: boolean;
}

/** Data of a `restoreDatabase` run's `RunStatus.data.restore`; the command line prints it as `restore`. */
export interface RestoreResult {
  readonly id: string;
  readonly component: ComponentId;
  readonly target: string;
  readonly recoveredTo: Moment;
  readonly recoveredLsn: Lsn;
  readonly dataDirectory: string;
  /** Where the old data is until `confirm`; in place only. */
  readonly oldDataDirectory?: string;
  /** URL without a password; only of a server that runs. */
  readonly connection?: string;
  /** What a person has to mend, with the statement that does. */
  readonly warnings?: readonly string[];
  readonly timingsMs: {
    readonly fetch: number;
    readonly replay: number;
    readonly promote: number;
    readonly checks: number;
    readonly swap?: number;
    readonly total: number;
  };
}

/**
 * Keys of `RunStatus.data` by operation, all optional until known: `snapshot` (backup), `restore` and `plan` (restore; `plan` as soon as it is
 * made, so that an approval can show it), `copy` and `progress` (catch-up), `sweep` and `mark` (retention), `integrity` (verification).
 */
export interface RunData {
  readonly sweep?: SweepReport;
  readonly mark?: MarkReport;
  readonly snapshot?: SnapshotSummary;
  readonly restore?: RestoreResult;
  readonly plan?: PlanSummary;
  readonly copy?: string;
  readonly progress?: { readonly objects: number; readonly bytes: number; readonly remaining: number };
  readonly integrity?: readonly ComponentIntegrity[];
  readonly warnings?: readonly string[];
}
