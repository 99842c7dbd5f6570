// What the files engine is asked, and what it tells.

import type { Moment } from '../domain/moment.ts';
import type { LeftOut, Unseen } from './scan/found.ts';
import type { ScanRules } from './scan/rules.ts';

/** What is captured. */
export interface FilesSource {
  /** Absolute paths. */
  readonly roots: readonly string[];
  readonly rules: ScanRules;
}

/** `engine` of a files snapshot (docs/vault-format.md, section 7). */
export interface FilesDetails {
  readonly roots: readonly string[];
  readonly rules: ScanRules;
  readonly files: number;
  readonly directories: number;
  /** Symbolic and hard links, pipes and devices. */
  readonly others: number;
  readonly sizeBytes: number;
  /** Files taken over unread. */
  readonly unchangedFiles: number;
  /** Files in the snapshot before; absent when there was none. */
  readonly filesBefore?: number;
  /** The first of each, and how many there were. */
  readonly unseen: Told<Unseen>;
  readonly vanished: Told<string>;
  readonly torn: Told<string>;
  readonly leftOut: Told<LeftOut>;
  /** Why the tree of the snapshot before could not be read to its end: everything from there on was read again. */
  readonly parentUnread?: string;
  /** `user@host` that the trees were pulled from; owners are that host's numbers, without names. */
  readonly pulledFrom?: string;
}

export interface Told<Each> {
  readonly count: number;
  readonly first: readonly Each[];
}

export interface FilesProgress {
  readonly files: number;
  readonly bytes: number;
  readonly readBytes: number;
}

export interface CapturedFiles {
  readonly details: FilesDetails;
  readonly from: Moment;
  readonly to: Moment;
  /** For people: what they should know of the snapshot. */
  readonly warnings: readonly string[];
}
