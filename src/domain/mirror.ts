// The warm mirror of a component of files, as its host knows it: of when it is, and whether it is whole.

import type { Moment } from './moment.ts';

/** `running`: a run has begun and not ended, here or in a process that died. `held back`: whole but for deletions, of which there were too many. */
export const mirrorStates = ['running', 'complete', 'held back', 'failed'] as const;
export type MirrorState = (typeof mirrorStates)[number];

export interface MirrorReport {
  /** Directory, with `user@host:` in front where it is another host's. */
  readonly to: string;
  /** `never`: no run has begun. */
  readonly state: MirrorState | 'never';
  readonly startedAt?: Moment;
  /** Everything that was there before is in it: the beginning of the last run that was whole but for deletions. Absent: there was none. */
  readonly asOf?: Moment;
  /** What became of the last run. */
  readonly files?: number;
  readonly deleted?: number;
  readonly transferredBytes?: number;
  readonly error?: string;
}
