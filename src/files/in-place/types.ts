// What a restore in place is asked, and what it tells.

import type { SnapshotReader } from '../../vault/index.ts';
import type { Selection } from '../restore/select.ts';
import type { ScanRules } from '../scan/rules.ts';
import type { Told } from '../types.ts';
import type { Change } from './change.ts';
import type { PlaceGuard } from './hold.ts';
import type { Phase } from './journal.ts';
import type { Hold } from './present.ts';
import type { Counts } from './sums.ts';

export interface InPlaceOptions {
  readonly reader: Pick<SnapshotReader, 'snapshot' | 'entries' | 'restoreFiles'>;
  /** Absolute; one of the snapshot's roots, as it was configured then. Links on the way to it are followed, and it may be one. */
  readonly root: string;
  /** Rules of now, which together with those of the snapshot say what is not touched. */
  readonly rules: ScanRules;
  /** Default all. */
  readonly selection?: Selection;
  readonly signal: AbortSignal;
}

export interface PlanOptions extends InPlaceOptions {
  /** The run that the plan is for, when there is one: what that run has in the root is not in its own way. */
  readonly run?: string;
  /** Absolute path of a file that gets the whole list, a line of JSON (`Change`) for each; written anew. */
  readonly listFile?: string;
}

export interface ExecuteOptions extends InPlaceOptions {
  /** Names what is kept: letters, digits, `.`, `_`, `-`; a repeated attempt has the same. */
  readonly run: string;
  /** What the journal tells of the restore that this root is a part of; default: nothing. */
  readonly restore?: WholeRestore;
  /** Of the plan that was shown: what would be done must still be that. Default: whatever is to be done now. */
  readonly digest?: string;
  readonly guard?: PlaceGuard;
  readonly onProgress?: (done: { readonly files: number; readonly bytes: number }) => void;
}

/** Several components may have one root, and one restore several roots: whose it is, and all that it is to do, must not depend on a store. */
export interface WholeRestore {
  readonly component: string;
  /** As they are given to each restore of one root. */
  readonly roots: readonly string[];
}

export interface EndOptions {
  /** Absolute; as it was given to the restore. */
  readonly root: string;
  readonly run: string;
  readonly guard?: PlaceGuard;
}

export interface InPlacePlan {
  /** Without links: where it really is. */
  readonly root: string;
  /** Lower-case hexadecimal: another list has another one; sizes of what is only taken away are not in it. */
  readonly digest: string;
  /** Names with all that is below them, and their bytes. `compare`: files of which only reading tells; they are replaced or settled, or nothing is done. */
  readonly counts: Counts;
  /** How many changes there are; what is below a directory that is created or replaced is in its line. */
  readonly count: number;
  /** The first 200 that are certain, and the first 200 that only reading tells, in walk order. */
  readonly changes: readonly Change[];
  readonly space: { readonly neededBytes: number; readonly availableBytes: number };
  /** What is wanted and stays away, because what has its name today is left alone. */
  readonly leftAlone: Told<{ readonly path: string; readonly why: Hold }>;
  /** For people, a sentence each. */
  readonly warnings: readonly string[];
}

export interface InPlaceResult {
  readonly counts: Counts;
  /** Where what was there is kept, for people. */
  readonly kept: string;
  /** What this user or file system did not allow: the first of it, and how much it was. */
  readonly lacking: Told<Lacking>;
  /** What was to be settled and was changed by others meanwhile: left as it is. */
  readonly changedSince: Told<string>;
  readonly leftAlone: InPlacePlan['leftAlone'];
  readonly warnings: readonly string[];
}

export interface Lacking {
  readonly path: string;
  readonly what: string;
  readonly code: string;
}

/** How a run has ended; the same for every further call. */
export interface EndResult {
  readonly phase: 'confirmed' | 'rolled back';
  /** When. */
  readonly at: string;
  /** What others wrote into what came in, or put where something was taken away: it stays until a person removes it. */
  readonly written?: { readonly directory: string; readonly files: Told<string> };
  readonly lacking: Told<Lacking>;
}

export interface RunInPlace {
  readonly phase: Phase;
  /** As it was given when the run began; absent until then, and where nobody gave it. */
  readonly restore?: WholeRestore;
  /** The highest fencing token in its journal; 0 where nobody had one. */
  readonly token: number;
  /** When its journal got its last line; of a run that has none yet, when its directory was made. */
  readonly at: string;
  /** Where what was there is, as long as it is kept. */
  readonly kept: string;
  /** The lock that every step holds. */
  readonly lock: string;
  /** Of an ended run: what it kept is not wholly removed yet; confirming or rolling back again does that. */
  readonly isCleared: boolean;
}
