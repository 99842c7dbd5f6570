// The warm mirror of a component of files, as its host knows it: of when it is, and whether it is whole.

import type { Moment } from './moment.ts';

/** `running`: a run has begun and not ended, here or in a process that died. `held back`: whole but for deletions, of which there were too many. */
export const mirrorStates = ['running', 'complete', 'held back', 'failed'] as const;
export type MirrorState = (typeof mirrorStates)[number];

/** `too many`: more than `mirror.maxDelete`. `far fewer`: below half of the files were there, as where a disk went away. `meanwhile`: more than was looked at before. */
export type HeldBecause = 'too many' | 'far fewer' | 'meanwhile';

/** Why names that are gone are kept. */
export function heldWords(because: HeldBecause | undefined): string {
  if (because === 'far fewer') return 'far fewer files are in the roots than before';
  if (because === 'meanwhile')
    return 'more of them went while it was brought up than before; the next run looks at all';
  return 'more than `mirror.maxDelete` would have been deleted';
}

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
  readonly heldBecause?: HeldBecause;
  /** Of the last run that deleted everything it had to: far fewer hold deletions back, until they are there again. */
  readonly regularFiles?: number;
  readonly error?: string;
  /** Its code in the catalogue. */
  readonly errorCode?: string;
  /** The run by which it was met first; all since have ended with the same. */
  readonly firstFailed?: string;
}
