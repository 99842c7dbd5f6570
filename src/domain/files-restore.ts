// What giving back files would do, and what it did: small enough for a history, a prompt and `--json`.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { Named } from './component-report.ts';
import type { Moment } from './moment.ts';
import type { NamedPath } from './path-text.ts';
import type { SpaceSummary } from './plan-summary.ts';

/** `compare`: size and time are the same and the file was touched since, so that only reading it tells. */
export const changeKinds = ['create', 'replace', 'remove', 'settle', 'compare'] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** The path is absolute. */
export interface PlannedChange extends NamedPath {
  readonly kind: ChangeKind;
  readonly type: string;
  /** In what it differs, where it is there: `content`, `mode`, `owner`, `time`, `attributes`, `target`, `type`. */
  readonly aspects: readonly string[];
}

export type ChangeCounts = Readonly<Record<ChangeKind, number>>;

/** Which snapshot is given back, and how far it is from what was asked for. */
export interface ChosenSnapshot {
  readonly id: string;
  readonly from: Moment;
  readonly to: Moment;
  readonly state: 'clean' | 'damaged';
  /** It is read from this copy first. */
  readonly copy: string;
  /** Seconds from its end to the moment that was asked for, negative where it was complete after that; absent where none was. */
  readonly skewSeconds?: number;
}

export interface FilesPlan {
  readonly run: string;
  readonly component: ComponentId;
  readonly host: string;
  readonly mode: 'in place' | 'beside';
  /** As asked, in words: `latest`, `time 2026-11-23T05:59:59Z`, `snapshot …`. */
  readonly requested: string;
  readonly snapshot: ChosenSnapshot;
  /** In place: the roots that are touched. Beside: those that are given back. */
  readonly roots: readonly string[];
  /** Beside: where. */
  readonly directory?: string;
  /** What alone is wanted; absent: everything. */
  readonly paths?: readonly string[];
  readonly patterns?: readonly string[];
  /** Of the snapshot, what is wanted. */
  readonly entries: { readonly files: number; readonly others: number; readonly bytes: number };
  /** In place: how many names change, and the first of them. */
  readonly changes?: {
    readonly counts: ChangeCounts;
    readonly bytes: number;
    readonly first: readonly PlannedChange[];
  };
  /** In place: what the component stands for today and the snapshot has nothing of, as people are shown it: it stays. */
  readonly kept?: Named;
  readonly space: SpaceSummary;
  readonly warnings: readonly string[];
  /** What must be out of the way before this can be done; absent when nothing is. */
  readonly blockers?: readonly ErrorData[];
  /** Of what was decided: snapshot, mode, place, selection. */
  readonly digest: string;
}

export interface FilesRestored {
  readonly id: string;
  readonly component: ComponentId;
  readonly snapshot: string;
  /** The interval in which it was captured. */
  readonly from: Moment;
  readonly to: Moment;
  readonly directory?: string;
  readonly files: number;
  readonly others: number;
  readonly bytes: number;
  /** In place: how many names changed. */
  readonly changes?: ChangeCounts;
  /** In place: where what was there is kept until `confirm`. */
  readonly keptAt?: readonly string[];
  /** In place: what came after the snapshot and stays, as in the plan. */
  readonly kept?: Named;
  /** Properties that this user or file system did not allow. */
  readonly lacking: Named;
  /** What was read from another copy than the plan's, in place also what was left as it is, and what else was met; a sentence each. */
  readonly warnings?: readonly string[];
  /** Read again afterwards, entry by entry, against the snapshot. */
  readonly compared: {
    readonly entries: number;
    readonly differing: Named;
    /** In words, why less can be said of it than it seems; absent when that is not so. */
    readonly warnings?: readonly string[];
  };
  readonly timingsMs: { readonly restore: number; readonly compare: number; readonly total: number };
}

/** What is known when everything is written; the workflow adds id, snapshot and times. */
export type WrittenFiles = Pick<
  FilesRestored,
  'files' | 'others' | 'bytes' | 'changes' | 'keptAt' | 'kept' | 'lacking' | 'warnings'
>;
