// What a command found or did, as data: the shape that `--json` prints and that programs rely on; keys are only ever added.

import type { ComponentStatus, Finding, SnapshotSummary, WindowSummary } from '../domain/component-report.ts';
import type { ConfigurationDiffReport } from '../domain/configuration-diff.ts';
import type { CopyStatus, HeadsReport, SeedPlan } from '../domain/copies-report.ts';
import type { FilesDiff, FilesExported, FilesFound } from '../domain/files-history.ts';
import type { FilesPlan, FilesRestored } from '../domain/files-restore.ts';
import type { ComponentIntegrity, RepairReport } from '../domain/integrity.ts';
import type { KeyChange, KeyStatus, KeyTest } from '../domain/key-report.ts';
import type { LoadPlan, LoadResult } from '../domain/load.ts';
import type { StepStatus } from '../domain/operations.ts';
import type { PartPlan, PartResult } from '../domain/part.ts';
import type { PlanSummary } from '../domain/plan-summary.ts';
import type { RedisPlan, RedisRestored } from '../domain/redis-restore.ts';
import type { EndedBy } from '../domain/restore-runs.ts';
import type {
  HeldLocks,
  HoldSummary,
  MarkReport,
  ReleaseReport,
  RetentionPlan,
  SweepReport,
} from '../domain/retention-report.ts';
import type { PointResult, PushedHistory, RestoreResult, StoppedServer } from '../domain/run-data.ts';
import type { ScheduleChange, ScheduleStatus } from '../domain/schedule-report.ts';
import type { CheckReport, SetupReport } from '../domain/setup-report.ts';
import type { RunState } from '../domain/states.ts';
import type { RuleVerdict } from '../domain/three-two-one.ts';
import { type ErrorData, exitCodes, type HoldfastError } from '../errors/index.ts';

export interface RunSummary {
  readonly id: string;
  readonly workflowId: string;
  readonly url?: string;
  readonly operation?: string;
  readonly component?: string;
  readonly state?: RunState;
  readonly message?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly by?: string;
  /** Of a restore in place, in a list of runs. */
  readonly endedBy?: EndedBy;
}

export interface Result {
  readonly state: RunState;
  readonly error?: ErrorData;
  /** Set when nothing was done because of `--dry-run`. */
  readonly dryRun?: true;
  /** In words, what was done. */
  readonly message?: string;
  readonly run?: RunSummary;
  /** Of a restore in place that another run has ended since. */
  readonly endedBy?: EndedBy;
  /** Of a restore beside: whether the server that it left runs now; absent when that is not known. */
  readonly isServing?: boolean;
  readonly steps?: readonly StepStatus[];
  readonly plan?: PlanSummary;
  readonly snapshot?: SnapshotSummary;
  readonly point?: PointResult;
  readonly push?: PushedHistory;
  readonly diff?: ConfigurationDiffReport;
  readonly restore?: RestoreResult;
  readonly redisPlan?: RedisPlan;
  readonly redisRestored?: RedisRestored;
  readonly filesPlan?: FilesPlan;
  readonly filesRestored?: FilesRestored;
  readonly filesFound?: FilesFound;
  readonly filesDiff?: FilesDiff;
  readonly filesExported?: FilesExported;
  readonly load?: LoadResult;
  readonly loadPlan?: LoadPlan;
  readonly part?: PartResult;
  readonly partPlan?: PartPlan;
  readonly server?: StoppedServer;
  readonly copy?: string;
  readonly progress?: { readonly objects: number; readonly bytes: number; readonly remaining: number };
  readonly window?: WindowSummary;
  readonly estate?: string;
  readonly timezone?: string;
  readonly temporal?: { readonly state: 'reachable' | 'unreachable' | 'not asked'; readonly error?: ErrorData };
  readonly components?: readonly (ComponentStatus | CheckReport | Result)[];
  readonly copies?: readonly CopyStatus[];
  readonly rule?: RuleVerdict;
  readonly heads?: HeadsReport;
  /** Of the copies as a whole; those of a component are among its own. */
  readonly findings?: readonly Finding[];
  readonly seed?: SeedPlan;
  readonly snapshots?: readonly SnapshotSummary[];
  readonly runs?: readonly RunSummary[];
  readonly keys?: readonly KeyStatus[];
  /** SHA-256 of `rescue.mjs`, which lies on every copy and needs nothing of Holdfast to read it. */
  readonly readerSha256?: string;
  readonly keyTests?: readonly KeyTest[];
  readonly keyChange?: KeyChange;
  readonly retention?: RetentionPlan;
  readonly integrity?: readonly ComponentIntegrity[];
  readonly repairs?: readonly RepairReport[];
  readonly held?: readonly HeldLocks[];
  readonly sweep?: SweepReport;
  readonly mark?: MarkReport;
  readonly hold?: HoldSummary;
  readonly release?: ReleaseReport;
  readonly setup?: SetupReport;
  readonly schedules?: readonly (ScheduleStatus | ScheduleChange)[];
  readonly configuration?: object;
  readonly sandbox?: object;
  readonly warnings?: readonly string[];
}

/** A result with how to leave and how to say it; `view` chooses the text printer. */
export interface Outcome {
  readonly result: Result;
  readonly exit: number;
  readonly view: View;
  /** Set when the steps were shown while they ran, so that people are not told them again. */
  readonly followed?: true;
}

export const views = [
  'run',
  'plan',
  'redis plan',
  'files plan',
  'files found',
  'files diff',
  'files exported',
  'load plan',
  'part plan',
  'status',
  'check',
  'copies',
  'seed',
  'keys',
  'key tests',
  'snapshots',
  'runs',
  'setup',
  'schedules',
  'retention',
  'integrity',
  'repairs',
  'configuration',
  'configuration diff',
  'several',
  'message',
] as const;
export type View = (typeof views)[number];

export function outcome(view: View, result: Result, exit: number = exitCodes.done): Outcome {
  return { view, result, exit };
}

/** State that an error means for a command that ends with it. */
export function stateOf(error: HoldfastError): RunState {
  switch (error.exit) {
    case exitCodes.usage:
    case exitCodes.refused:
      return 'refused';
    case exitCodes.stuck:
      return 'stuck';
    case exitCodes.rolledBack:
      return 'rolled back';
    default:
      return 'failed';
  }
}

export function errorOutcome(error: HoldfastError): Outcome {
  return outcome('message', { state: stateOf(error), error: error.toJSON() }, error.exit);
}
