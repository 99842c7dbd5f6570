// What retention plans and reports, as data: which snapshots stay and why, what is marked, what is due, what goes and from where.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { Moment } from './moment.ts';
import type { KeepReason } from './retention.ts';

export interface Amount {
  readonly objects: number;
  readonly bytes: number;
}

export interface PlannedSnapshot {
  readonly id: string;
  readonly kind: string;
  readonly class: string;
  readonly to: Moment;
  readonly state: 'clean' | 'damaged';
  /** Every reason to keep it; empty when it is not needed. */
  readonly reasons: readonly KeepReason[];
  /** Since when it is not needed. */
  readonly since?: Moment;
  /** The tombstone that names it. */
  readonly tombstone?: string;
}

export interface ComponentRetention {
  readonly component: ComponentId;
  /** The effective policy in words, by class; `log` too. */
  readonly policy: Readonly<Record<string, string>>;
  /** Newest first. */
  readonly snapshots: readonly PlannedSnapshot[];
  /** Since when the continuous log is kept, by cluster. */
  readonly window: Readonly<Record<string, Moment>>;
  /** Why nothing of this component may be marked or deleted now; with the code `RETENTION_MAXIMUM`, only why nothing more is marked. */
  readonly refused?: ErrorData;
  /** Generations that no snapshot will need once what is marked now is gone; bytes are freed with them. */
  readonly generations: readonly { readonly path: string; readonly bytes: number }[];
  readonly logObjects: number;
  /** The same log by the reason why it is not needed. */
  readonly log: readonly UnneededLog[];
  readonly garbagePacks: number;
}

export interface UnneededLog extends Amount {
  /** System id. */
  readonly cluster: string;
  readonly words: string;
}

export interface TombstoneSummary {
  readonly id: string;
  readonly at: Moment;
  /** When its grace is over; absent while it is not on every copy. */
  readonly due?: Moment;
  readonly state: 'waiting' | 'due' | 'incomplete' | 'swept';
  readonly by: string;
  readonly reason: string;
  readonly snapshots: readonly string[];
  readonly generations: number;
  readonly packs: number;
  readonly logObjects: number;
  readonly bytes: number;
  /** Copies that hold nothing of it any more. */
  readonly swept: readonly string[];
}

export interface HoldSummary {
  readonly id: string;
  readonly component: ComponentId;
  readonly snapshot?: string;
  readonly reason: string;
  readonly until?: Moment;
  readonly by: string;
  readonly at: Moment;
  /** As the hold was placed: on every copy that locks. */
  readonly locks?: readonly HeldLocks[];
}

/** What a look at the holds did to the locks of one copy that locks. */
export interface HeldLocks {
  readonly copy: string;
  /** Objects whose lock was extended; 0 when all of it is locked long enough. */
  readonly extended: number;
  /** Everything that is held there is locked at least until then; absent with `error`. */
  readonly until?: Moment;
  /** Why not everything that is held could be kept locked there, or what is held is not known. The hold itself stands. */
  readonly error?: ErrorData;
}

export interface CopyRetention {
  readonly total: Amount;
  /** What would be marked now: freed after the grace. */
  readonly mark: Amount;
  /** What tombstones that are due still name there: freed by the next run. */
  readonly due: Amount;
}

export interface RetentionPlan {
  readonly at: Moment;
  readonly graceSeconds: number;
  /** Why nothing at all may be marked or deleted now. */
  readonly refused?: ErrorData;
  readonly components: readonly ComponentRetention[];
  readonly tombstones: readonly TombstoneSummary[];
  readonly holds: readonly HoldSummary[];
  readonly copies: Readonly<Record<string, CopyRetention>>;
  /** Of what a person decides about: snapshots (also those beyond the maximum), generations and garbage to be marked, and tombstones that are due. */
  readonly digest: string;
}

export interface Refusal {
  readonly component: ComponentId;
  readonly error: ErrorData;
}

export interface MarkReport {
  /** Absent when there was nothing to mark. */
  readonly tombstone?: TombstoneSummary;
  readonly refused: readonly Refusal[];
}

export interface SweepReport {
  /** Tombstones that were due. */
  readonly tombstones: readonly string[];
  readonly snapshots: readonly string[];
  /** Deleted, by copy. */
  readonly deleted: Readonly<Record<string, Amount>>;
  /** Objects that a store would not delete (locked), by copy; they are tried again. */
  readonly kept: Readonly<Record<string, number>>;
  /** What was needed again and is not named any more. */
  readonly released: readonly string[];
  readonly refused: readonly Refusal[];
  /** Tombstones that are over and were deleted themselves. */
  readonly finished: readonly string[];
}

export interface ReleaseReport {
  readonly id: string;
  readonly kind: 'hold' | 'tombstone';
  /** Snapshots that are not to be deleted any more. */
  readonly snapshots: readonly string[];
  /** Snapshots that were gone already. */
  readonly gone: readonly string[];
}
