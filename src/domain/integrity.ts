// What a verification found, as data: per object, per snapshot and copy, and for a whole component; unknown is never good.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { Moment } from './moment.ts';
import type { Verdict } from './states.ts';

/**
 * How closely bytes are looked at; each level implies the ones before it. `listed`: the manifest opens and everything it needs is listed with its
 * size. `attested`: the store's own SHA-256 of each pack is its name. `hashed`: every byte was read and hashed. `decrypted`: every frame opened,
 * every chunk compared with its id, and the tree read.
 */
export const integrityLevels = ['listed', 'attested', 'hashed', 'decrypted'] as const;
export type IntegrityLevel = (typeof integrityLevels)[number];

export interface ObjectFinding {
  readonly key: string;
  readonly kind: 'manifest' | 'key' | 'index' | 'pack' | 'segment' | 'extent';
  readonly state: 'damaged' | 'missing';
  readonly message: string;
}

export type Counts = Readonly<Record<Verdict, number>>;

export interface SnapshotIntegrity {
  readonly snapshot: string;
  readonly state: Verdict;
  readonly objects: Counts;
  /** When the oldest look that this rests on began; only of a good one. */
  readonly at?: Moment;
}

export interface CopyIntegrity {
  readonly copy: string;
  readonly state: Verdict;
  /** Why the copy, or something on it, could not be asked. */
  readonly error?: ErrorData;
  /** Newest first. */
  readonly snapshots: readonly SnapshotIntegrity[];
  /** Everything that snapshots and log of the component have there. */
  readonly objects: Counts;
  /** Closed segments of the log. */
  readonly segments: Counts;
  readonly readBytes: number;
  /** At most 100. */
  readonly findings: readonly ObjectFinding[];
}

export interface ComponentIntegrity {
  readonly component: ComponentId;
  readonly level: IntegrityLevel;
  readonly state: Verdict;
  readonly at: Moment;
  readonly copies: readonly CopyIntegrity[];
}

export interface RepairedObject {
  readonly key: string;
  readonly kind: ObjectFinding['kind'];
  readonly was: 'damaged' | 'missing';
  /** The copy whose good bytes took its place. */
  readonly from: string;
}

export interface UnrepairedObject {
  readonly key: string;
  readonly kind: ObjectFinding['kind'];
  readonly was: 'damaged' | 'missing' | 'not checked';
  readonly error: ErrorData;
}

export interface RepairReport {
  readonly copy: string;
  readonly repaired: readonly RepairedObject[];
  readonly unrepaired: readonly UnrepairedObject[];
  /** Found good when looked at again right before. */
  readonly good: number;
}

/** Damaged before missing before unknown before good. */
export function worstVerdict(verdicts: Iterable<Verdict>): Verdict {
  const all = new Set(verdicts);
  for (const verdict of ['damaged', 'missing', 'not checked'] as const) if (all.has(verdict)) return verdict;
  return 'good';
}

/** A copy of which nothing was seen. */
export function isUnasked({ state, objects }: Pick<CopyIntegrity, 'state' | 'objects'>): boolean {
  return state === 'not checked' && Object.values(objects).every((count) => count === 0);
}

export function countVerdicts(verdicts: Iterable<Verdict>): Counts {
  const counts = { good: 0, damaged: 0, missing: 0, 'not checked': 0 };
  for (const verdict of verdicts) counts[verdict] += 1;
  return counts;
}

/** Whether what was seen at `level` says all that `wanted` asks. */
export function isAtLeast(level: IntegrityLevel, wanted: IntegrityLevel): boolean {
  return integrityLevels.indexOf(level) >= integrityLevels.indexOf(wanted);
}
