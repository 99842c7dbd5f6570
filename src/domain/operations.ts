// Inputs, results and questions of the workflows: one small JSON object each, so that `temporal workflow start --input '{…}'` works.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { IntegrityLevel } from './integrity.ts';
import type { TableName } from './part.ts';
import type { RunState } from './states.ts';

/** Fields every input may carry. `estate` defaults to the estate in the workflow id's task queue and must match the worker's. */
interface OperationInput {
  readonly estate: string;
  readonly component: ComponentId;
  /** Host whose queues do the work. */
  readonly host: string;
  /** Digest of the configuration the client read; the worker refuses a different one (`CONFIG_MISMATCH`). Absent: not compared. */
  readonly digest?: string;
  /** Who asked, as claimed (`user@host`, `schedule`). */
  readonly by?: string;
}

/**
 * `physical`: a base backup in full. `incremental`: what changed, laid over an earlier one, so that the snapshot is whole all the same; a
 * point on servers that have no incremental backups. `point`: no snapshot, but log that is closed now and shown to follow on a base backup
 * without a gap.
 */
export const backupKinds = ['physical', 'incremental', 'point'] as const;
export type BackupKind = (typeof backupKinds)[number];

export interface BackupDatabaseInput extends OperationInput {
  readonly kind: BackupKind;
  /** Why, in words, when it was not a person or a schedule (`after restore-3f9a1c2b`, `slot lost`). */
  readonly reason?: string;
}

/** A logical backup: globals and every chosen database, as `pg_dump` gives them. */
export interface DumpDatabaseInput extends OperationInput {
  readonly reason?: string;
}

/** A dump, or part of it, loaded into a database; nothing that is there is changed. */
export interface LoadDumpInput extends OperationInput {
  /** `latest`, or the id of a logical snapshot. */
  readonly snapshot: string;
  /** Of the dump; needed where it has several. */
  readonly database?: string;
  /** At most one of the two; neither: the whole database. */
  readonly schema?: string;
  readonly table?: { readonly schema: string; readonly table: string };
  /** Database that it goes into; default: as it is named in the dump. */
  readonly into?: string;
  /** Of a table: its name in a database that is there, beside the one of its own name. */
  readonly as?: TableName;
  /** Also makes the roles of the dump that the server lacks. */
  readonly globals?: boolean;
  /** The copy that it is read from: refused where it cannot serve. Absent: the nearest that can. */
  readonly from?: string;
  /** Digest of the plan a person saw; a plan that differs is refused (`PLAN_CHANGED`). */
  readonly planDigest?: string;
}

/** A snapshot of trees of files. */
export interface BackupFilesInput extends OperationInput {
  readonly reason?: string;
  /** From another host, over a line; by the configuration. */
  readonly isPulled?: true;
}

/** The warm mirror of a component of files brought up, without a snapshot. */
export interface MirrorFilesInput extends OperationInput {}

/** A snapshot of a host's configuration, committed to its history in Git. */
export interface BackupConfigurationInput extends OperationInput {
  readonly reason?: string;
}

/** `rdb`: its data at an instant. `aof`: its append-only files, for any second since the capture before. */
export const redisKinds = ['rdb', 'aof'] as const;
export type RedisKind = (typeof redisKinds)[number];

/** A snapshot of a Redis server. */
export interface BackupRedisInput extends OperationInput {
  readonly kind: RedisKind;
  readonly reason?: string;
}

export interface ShipLogInput extends OperationInput {}

export interface RestoreDatabaseInput extends OperationInput {
  /** As typed after `--to`: an ISO 8601 moment, `lsn:…`, `xid:…`, `name:…`, `latest`, `immediate`. */
  readonly to: string;
  readonly exclusive?: boolean;
  readonly timeline?: number;
  readonly from?: string;
  /** Absent: in place. */
  readonly beside?: {
    readonly directory: string;
    readonly start: boolean;
    /** Left running as a streaming replica of the primary; `to` is `latest`. */
    readonly standby?: boolean;
  };
  /** Every index is compared with its table and every row read before the recovered server counts as recovered; beside only. */
  readonly deep?: boolean;
  /** Approval policy resolved from the configuration. */
  readonly approval: 'never' | 'always';
  readonly approveWithinSeconds: number;
  /** Digest of the plan a person saw (`--dry-run` or the prompt); a plan that differs is refused (`PLAN_CHANGED`). */
  readonly planDigest?: string;
}

/** Trees of files as a snapshot has them, in place or beside. */
export interface RestoreFilesInput extends OperationInput {
  /** As typed after `--to`: `latest`, an ISO 8601 moment, `snapshot:ID`. */
  readonly to: string;
  /** Absolute paths, each with what is below it; and patterns in the syntax of `.gitignore`. Neither: everything. */
  readonly paths?: readonly string[];
  readonly patterns?: readonly string[];
  readonly from?: string;
  /** Absent: in place. */
  readonly beside?: { readonly directory: string };
  /** Approval policy resolved from the configuration. */
  readonly approval: 'never' | 'always';
  readonly approveWithinSeconds: number;
  /** Digest of the plan a person saw; a plan that differs is refused (`PLAN_CHANGED`). */
  readonly planDigest?: string;
}

/** Data of a Redis server as a snapshot has it. */
export interface RestoreRedisInput extends OperationInput {
  /** As typed after `--to`: `latest`, an ISO 8601 moment, `snapshot:ID`. */
  readonly to: string;
  readonly from?: string;
  /** At most one of the three; none: into the stopped server. */
  readonly beside?: { readonly directory: string; readonly start: boolean };
  readonly live?: boolean;
  /** Only keys that match, as SCAN takes patterns, into the running server. */
  readonly pattern?: string;
  /** Approval policy resolved from the configuration. */
  readonly approval: 'never' | 'always';
  readonly approveWithinSeconds: number;
  /** Digest of the plan a person saw; a plan that differs is refused (`PLAN_CHANGED`). */
  readonly planDigest?: string;
}

/** One table or one database of a cluster, as it was at a moment, brought into the running server from a throwaway recovery beside it. */
export interface RestorePartInput extends OperationInput {
  /** As of `RestoreDatabaseInput`. */
  readonly to: string;
  readonly exclusive?: boolean;
  readonly timeline?: number;
  readonly from?: string;
  /** Of the cluster; needed where it has several. */
  readonly database?: string;
  /** Absent: the whole database, which then goes `into` another. */
  readonly table?: TableName;
  /** Exactly one of the three: the table under another name, its rows in place of those that are there, or the database under another name. */
  readonly as?: TableName;
  readonly replace?: boolean;
  readonly into?: string;
  /** Where the throwaway server lives; default: the data directory's name with `.clone` behind it. */
  readonly clone?: string;
  /** Approval policy resolved from the configuration; never asked for what changes nothing that is there. */
  readonly approval: 'never' | 'always';
  readonly approveWithinSeconds: number;
  /** Digest of the plan a person saw; a plan that differs is refused (`PLAN_CHANGED`). */
  readonly planDigest?: string;
}

export interface RunReferenceInput extends OperationInput {
  /** The restore's run id. */
  readonly run: string;
}

export interface CatchUpInput {
  readonly estate: string;
  readonly host: string;
  readonly copy: string;
}

export interface ApplyRetentionInput {
  readonly estate: string;
  readonly host: string;
  readonly digest?: string;
  readonly by?: string;
  /** Digest of the plan that a person saw; when it is another one by now, nothing is marked or deleted (`PLAN_CHANGED`). */
  readonly planDigest?: string;
  /** Also marks what is more than `retention.maximum` allows. */
  readonly beyondMaximum?: boolean;
  /** No component has `keep`, says the worker's configuration: nothing is marked or deleted, only what is held is kept locked. */
  readonly keepsAll?: boolean;
}

/** What is looked at, and how closely. */
export interface VerificationScope {
  /** Absent: every component. */
  readonly component?: ComponentId | undefined;
  readonly level: IntegrityLevel;
  /** Absent: every copy. */
  readonly copy?: string | undefined;
  /** What was seen good at this level in so many days is not read again. */
  readonly withinDays?: number | undefined;
  /** Read at most so much; what is left is `not checked`. */
  readonly budgetBytes?: number | undefined;
  readonly timeSeconds?: number | undefined;
}

export interface VerifySnapshotsInput extends VerificationScope {
  readonly estate: string;
  readonly host: string;
  readonly digest?: string;
  readonly by?: string;
}

/** Answer of the query `status`, and the record `result` under `runs/` at the end. */
export interface RunStatus {
  readonly run: string;
  readonly workflowId: string;
  readonly operation:
    | 'backupDatabase'
    | 'dumpDatabase'
    | 'backupRedis'
    | 'backupFiles'
    | 'backupConfiguration'
    | 'mirrorFiles'
    | 'loadDump'
    | 'shipLog'
    | 'restoreDatabase'
    | 'restoreRedis'
    | 'restoreFiles'
    | 'restorePart'
    | 'rollbackRestore'
    | 'confirmRestore'
    | 'catchUpCopy'
    | 'applyRetention'
    | 'verifySnapshots';
  readonly component: ComponentId | string;
  readonly state: RunState;
  /** Named steps in runbook order. */
  readonly steps: readonly StepStatus[];
  /** In words, what is happening now or how it ended. */
  readonly message: string;
  /** Small result data of the operation (snapshot, restore, plan summary); shapes in docs/cli.md. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly error?: ErrorData;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly by?: string;
}

export interface StepStatus {
  readonly name: string;
  readonly state: 'pending' | 'running' | 'done' | 'failed' | 'undone' | 'undo failed' | 'skipped';
  /** Progress in words (`1.2 of 4.0 GiB`), never a guess. */
  readonly note?: string;
  /** While it is tried again: why the attempts before failed. In `note`, too. */
  readonly retries?: readonly Retry[];
  readonly startedAt?: string;
  readonly endedAt?: string;
}

export interface Retry {
  /** The one that runs now; the first is 1. */
  readonly attempt: number;
  readonly because: string;
}

export function retryText({ attempt, because }: Retry): string {
  return `attempt ${attempt} after: ${because}`;
}

/** Update `approve` (and `deny`): bound to the plan that was shown. Temporal does not authenticate `by`: it is recorded as a claim. */
export interface ApprovalUpdate {
  readonly planDigest: string;
  readonly by: string;
}

export const messages = { status: 'status', approve: 'approve', deny: 'deny', stillAsked: 'stillAsked' } as const;

/** Second argument of a question that may take long: whoever asks says now and then (signal `stillAsked`) that the answer is still wanted. Absent: it goes on until its end. */
export interface Asker {
  /** Not heard of for so long, the question is cancelled. */
  readonly heardWithinSeconds: number;
}
