// What a run gives beside its status: results and reports, by operation.

import type { ComponentId } from './component.ts';
import type { SnapshotSummary } from './component-report.ts';
import type { FilesPlan, FilesRestored } from './files-restore.ts';
import type { ComponentIntegrity } from './integrity.ts';
import type { LoadPlan, LoadResult } from './load.ts';
import type { Lsn } from './lsn.ts';
import type { Moment } from './moment.ts';
import type { PartPlan, PartResult } from './part.ts';
import type { PlanSummary } from './plan-summary.ts';
import type { RedisPlan, RedisRestored } from './redis-restore.ts';
import type { HeldLocks, MarkReport, SweepReport } from './retention-report.ts';

export interface StoppedServer {
  readonly run: string;
  readonly dataDirectory: string;
  /** False when it was not running any more. */
  readonly stopped: boolean;
  /** It was only there for a while: its directory is gone, too. */
  readonly removed?: true;
}

/** A moment that can be recovered to for sure, made without a snapshot: log that was ended on purpose and is on enough copies. */
export interface PointResult {
  /** Everything before it follows on a base backup without a gap, on the copies that `reached` it. */
  readonly lsn: Lsn;
  readonly timeline: number;
  /** The server's clock when it was made. */
  readonly at: Moment;
  /** A restore point where the role may not close a segment. */
  readonly way: 'segment switch' | 'restore point';
  readonly copies: Readonly<Record<string, 'reached' | 'behind'>>;
}

/** How bringing the history of a configuration to its remote ended. */
export interface PushedHistory {
  readonly state: 'pushed' | 'not pushed';
  readonly commit: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** In words, why not. */
  readonly because?: string;
  /** Commits that the remote lacks, as far as is known. */
  readonly behind: number;
}

/** How something restored stands to what was true when it was backed up; `moved on`: as a later moment may. */
export type FactVerdict = 'equal' | 'moved on' | 'not compared' | 'contradicts';

/** One question to a recovered server, and its answer. */
export interface RecoveryCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Of facts captured with the backup; `contradicts` is never ok. */
  readonly verdict?: FactVerdict;
  /** What was seen, in words. */
  readonly value: string;
  /** It could not be asked, and `value` says why; no word about the server. */
  readonly notDone?: true;
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
  /** What the recovered server was asked before anybody used it; all are well. */
  readonly checks?: readonly RecoveryCheck[];
  /** What was read from another copy than the plan's, and what a person has to mend, with the statement that does. */
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
 * Keys of `RunStatus.data` by operation, all optional until known: `snapshot` or `point` (backup), `push` (of configuration), `restore` and `plan` (restore; `plan` as soon as it is
 * made, so that an approval can show it), `load` and `loadPlan` (loading a dump), `part` and `partPlan` (a table or
 * database of a moment), `copy` and `progress` (catch-up), `held`, `sweep` and `mark` (retention), `integrity` (verification).
 */
export interface RunData {
  readonly held?: readonly HeldLocks[];
  readonly sweep?: SweepReport;
  readonly mark?: MarkReport;
  readonly snapshot?: SnapshotSummary;
  readonly point?: PointResult;
  readonly push?: PushedHistory;
  readonly restore?: RestoreResult;
  readonly redisPlan?: RedisPlan;
  readonly redisRestored?: RedisRestored;
  readonly filesPlan?: FilesPlan;
  readonly filesRestored?: FilesRestored;
  readonly load?: LoadResult;
  readonly loadPlan?: LoadPlan;
  readonly part?: PartResult;
  readonly partPlan?: PartPlan;
  readonly plan?: PlanSummary;
  readonly copy?: string;
  readonly progress?: { readonly objects: number; readonly bytes: number; readonly remaining: number };
  readonly integrity?: readonly ComponentIntegrity[];
  readonly warnings?: readonly string[];
}
