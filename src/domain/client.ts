// What the command line asks of the rest, as types: the client of the workflows, and what one host answers by itself.

import type { HoldfastError } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { ComponentStatus, SnapshotSummary } from './component-report.ts';
import type { ConfigurationDiffReport, ConfigurationDiffRequest } from './configuration-diff.ts';
import type { CopiesReport } from './copies-report.ts';
import type { DiffFilesRequest, FilesDiff, FilesFound, FindFilesRequest } from './files-history.ts';
import type { FilesPlan } from './files-restore.ts';
import type { LoadPlan } from './load.ts';
import type {
  ApplyRetentionInput,
  BackupConfigurationInput,
  BackupDatabaseInput,
  BackupFilesInput,
  BackupRedisInput,
  CatchUpInput,
  DumpDatabaseInput,
  LoadDumpInput,
  MirrorFilesInput,
  RestoreDatabaseInput,
  RestoreFilesInput,
  RestorePartInput,
  RestoreRedisInput,
  RunReferenceInput,
  RunStatus,
  VerifySnapshotsInput,
} from './operations.ts';
import type { PartPlan } from './part.ts';
import type { PlanSummary } from './plan-summary.ts';
import type { RedisPlan } from './redis-restore.ts';
import type { RetentionPlan } from './retention-report.ts';
import type { StoppedServer } from './run-data.ts';
import type { ScheduleChange, ScheduleStatus } from './schedule-report.ts';
import type { CheckReport } from './setup-report.ts';

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
  startDump(input: DumpDatabaseInput): Promise<RunHandle>;
  startRedisBackup(input: BackupRedisInput): Promise<RunHandle>;
  startFilesBackup(input: BackupFilesInput): Promise<RunHandle>;
  startConfigurationBackup(input: BackupConfigurationInput): Promise<RunHandle>;
  startMirror(input: MirrorFilesInput): Promise<RunHandle>;
  startLoad(input: LoadDumpInput): Promise<RunHandle>;
  startPart(input: RestorePartInput): Promise<RunHandle>;
  startRestore(input: RestoreDatabaseInput): Promise<RunHandle>;
  startRedisRestore(input: RestoreRedisInput): Promise<RunHandle>;
  startFilesRestore(input: RestoreFilesInput): Promise<RunHandle>;
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
  /** The same for `startRedisRestore`. */
  planRedis(input: RestoreRedisInput): Promise<RedisPlan>;
  /** The same for `startFilesRestore`. */
  planFiles(input: RestoreFilesInput): Promise<FilesPlan>;
  /** The same for `startLoad`. */
  planLoad(input: LoadDumpInput): Promise<LoadPlan>;
  /** The same for `startPart`. */
  planPart(input: RestorePartInput): Promise<PartPlan>;
  /** Ends the recovered server that `--beside DIR --start` left running, and leaves its directory. */
  stopServer(input: RunReferenceInput): Promise<StoppedServer>;

  /** Brings the Temporal Schedules in step with the configuration: makes, changes, removes; `dryRun` only says what it would do. */
  applySchedules(options: { readonly dryRun: boolean }): Promise<readonly ScheduleChange[]>;
  listSchedules(): Promise<readonly ScheduleStatus[]>;
  /** Registers the search attributes of `src/domain/ids.ts` that are missing; returns their names; `dryRun` only says which. */
  registerSearchAttributes(options: { readonly dryRun: boolean }): Promise<readonly string[]>;
  /** Whether `shipLog` of a component runs, also where no worker has begun it. */
  isShipping(component: ComponentId): Promise<boolean>;
  /** Starts `shipLog` of a component if it is not running; `started` false when it was. */
  ensureShipping(component: ComponentId): Promise<RunHandle & { readonly started: boolean }>;

  /** Runs that are open, of one component or all; newest first. */
  running(component?: ComponentId): Promise<readonly RunStatus[]>;
  /**
   * Open and closed runs Temporal still remembers, joined with the records in the vault; newest first. `onUnkept`: told why nobody could say what the
   * vault keeps; then runs are missing that Temporal has forgotten, or that were ended without it.
   */
  history(component?: ComponentId, onUnkept?: (error: HoldfastError) => void): Promise<readonly RunStatus[]>;

  // Answers that only a host with keys can give: small workflows that run the `HostService` method of the same name there.
  snapshots(component?: ComponentId): Promise<readonly SnapshotSummary[]>;
  components(): Promise<readonly ComponentStatus[]>;
  copies(): Promise<CopiesReport>;
  check(component: ComponentId): Promise<CheckReport>;
  retention(): Promise<RetentionPlan>;
  findFiles(request: FindFilesRequest): Promise<FilesFound>;
  diffFiles(request: DiffFilesRequest): Promise<FilesDiff>;
  configurationDiff(request: ConfigurationDiffRequest): Promise<ConfigurationDiffReport>;

  close(): Promise<void>;
}

/** For what reads many trees. */
export interface Looking {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: { readonly snapshots: number; readonly of: number }) => void;
}

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
  /** Forces a segment switch and waits until *that* segment is on *every* copy, or `waitSeconds` (default 120) are over; `onDoubt` is told before that why it may not come. */
  check(
    component: ComponentId,
    options?: { waitSeconds?: number; signal?: AbortSignal; onDoubt?: (words: string) => void },
  ): Promise<CheckReport>;
  /** Two states of a host's configuration compared, without secrets. */
  configurationDiff(request: ConfigurationDiffRequest, signal?: AbortSignal): Promise<ConfigurationDiffReport>;
  /** What is kept and why, and what `retention apply` would do now. */
  retention(): Promise<RetentionPlan>;
  /** In which snapshots of a component of files a path is. */
  findFiles(request: FindFilesRequest, options?: Looking): Promise<FilesFound>;
  /** In what two snapshots, or a snapshot and the disk, differ. */
  diffFiles(request: DiffFilesRequest, options?: Looking): Promise<FilesDiff>;
  /** Final statuses kept under `runs/`, newest first. */
  history(component?: ComponentId): Promise<readonly RunStatus[]>;
  close(): Promise<void>;
}
