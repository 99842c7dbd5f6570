// Proofs as types: what was seen of snapshots, when, and how closely.

import type { ComponentId } from '../domain/component.ts';
import type { WholeLook } from '../domain/copy-verified.ts';
import type { Moment } from '../domain/moment.ts';
import type { ProofLevel, Verdict } from '../domain/states.ts';
import type { SnapshotId } from './snapshot-types.ts';

/** What a verification, or a restore, has seen on one copy. */
export interface Proof {
  readonly component: ComponentId;
  readonly copy: string;
  readonly level: ProofLevel;
  /** When the look began. */
  readonly at: Moment;
  readonly run: string;
  readonly snapshots: readonly (readonly [id: string, state: 'good' | 'damaged' | 'missing'])[];
  /** Keys of objects. */
  readonly objects: readonly (readonly [key: string, state: 'good' | 'damaged' | 'missing'])[];
  /** At the end of a look at everything that the component has on the copy. `since`: of a good one, when the oldest look began that it rests on. */
  readonly whole?: { readonly state: Verdict; readonly since?: Moment };
}

/** What was ever seen of a component on its copies, newest first. */
export interface Looks {
  readonly snapshots: readonly SnapshotProof[];
  readonly whole: readonly WholeLook[];
}

export interface SnapshotProof {
  readonly snapshot: SnapshotId;
  readonly component: ComponentId;
  readonly copy: string;
  readonly level: ProofLevel;
  readonly state: 'good' | 'damaged' | 'missing';
  readonly at: Moment;
  readonly run: string;
}
