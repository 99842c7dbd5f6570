// What is known of the copies of a vault together: each by itself, the rule that they keep, and what they show less than before.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentCopy, Finding } from './component-report.ts';
import type { CopyVerified } from './copy-verified.ts';
import type { Fork, PutBack } from './heads.ts';
import type { Moment } from './moment.ts';
import type { RuleVerdict } from './three-two-one.ts';

export interface CopiesReport {
  readonly copies: readonly CopyStatus[];
  readonly rule: RuleVerdict;
  readonly heads: HeadsReport;
  /** Of the copies as a whole; what is about one component is among its own. */
  readonly findings: readonly Finding[];
}

/** What the copies show against what the host that was asked remembers. */
export interface HeadsReport {
  readonly putBack: readonly PutBack[];
  readonly forks: readonly Fork[];
  readonly memory: MemoryState;
}

/** `new`: what the copies held before now is not known to this host. `unknown`: the same, because of an error. */
export interface MemoryState {
  readonly state: 'kept' | 'new' | 'unknown';
  readonly path: string;
  /** ISO 8601, UTC. */
  readonly since?: string;
  readonly error?: ErrorData;
}

/** What a new copy would be given. */
export interface SeedPlan {
  readonly copy: string;
  /** False: it is a copy of this vault already, and only lacks this much. */
  readonly isNew: boolean;
  /** Objects and bytes that another copy has and this one lacks; what tombstones name is not copied. */
  readonly objects: number;
  readonly bytes: number;
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
