// What a run of retention is asked: the policy in force, what is known from outside the vault's objects, and the limits of one run.

import type { ComponentId } from '../../domain/component.ts';
import type { Moment } from '../../domain/moment.ts';
import type { RetentionRules } from '../../domain/retention.ts';
import type { ProofLevel } from '../../domain/states.ts';
import type { HoldfastError } from '../../errors/index.ts';

export interface ComponentPolicy {
  readonly component: ComponentId;
  /** By class; a class without rules keeps everything. */
  readonly rules: Readonly<Record<string, RetentionRules>>;
  /** Without it no log is ever deleted. */
  readonly logWindowSeconds?: number;
}

/** What stands in for a hold that nobody wrote down: a restore that is under way. */
export interface PassingHold {
  readonly id: string;
  readonly component: ComponentId;
  readonly reason: string;
}

export interface RetentionRequest {
  readonly run: string;
  /** Who asked, as claimed. */
  readonly by: string;
  readonly policies: readonly ComponentPolicy[];
  readonly timezone: string;
  /** At least an hour: see docs/vault-format.md, section 13. */
  readonly graceSeconds: number;
  /** Of the snapshots of a class, the most that one run may name: this share (0 to 1) of them, or so many, whichever is more. */
  readonly maximum: { readonly share: number; readonly snapshots: number };
  /** Somebody saw what would go, and means it. */
  readonly beyondMaximum?: boolean;
  /** Best level that was ever shown, by snapshot. */
  readonly proofs: Readonly<Record<string, ProofLevel>>;
  readonly passing: readonly PassingHold[];
  /** Why nothing may be deleted, whatever the copies say: a copy that was put back shows less than there was. */
  readonly doubt?: HoldfastError;
  /** This host's clock; default the real one. */
  readonly now?: () => Moment;
  readonly signal?: AbortSignal;
}

/** The shortest grace: far more than the time between a writer's look at the tombstones and its manifest. */
export const SHORTEST_GRACE_SECONDS = 3600;
