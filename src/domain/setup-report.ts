// What `check` and `setup` have looked at or done, one named answer each.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { Lsn } from './lsn.ts';

/** A check waits no longer for its segment: long enough for a receiver that reconnects and a store that is slow. */
export const CHECK_WAIT_SECONDS = 120;

/** One named question with its answer; `ok: false` comes with what to do. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly hint?: string;
}

export interface CheckReport {
  readonly component: ComponentId;
  readonly ok: boolean;
  readonly checks: readonly CheckResult[];
  /** The segment that was closed for this check, and how long each copy took to have it. */
  readonly segment?: {
    readonly name: string;
    readonly lsn: Lsn;
    readonly copies: Readonly<Record<string, number | null>>;
  };
}

export interface SetupStep {
  /** `vault`, `copy eu`, `database/main slot`, … */
  readonly name: string;
  /** `present`: it was so before; `planned`: a dry run would do it. */
  readonly state: 'done' | 'present' | 'planned' | 'failed' | 'skipped';
  readonly message: string;
  readonly error?: ErrorData;
}

export interface SetupReport {
  readonly ok: boolean;
  readonly steps: readonly SetupStep[];
}
