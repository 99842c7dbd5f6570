// What takes part: a name, its exact version and options, and a command for each piece of work.

import type { Command } from '../lib/command.ts';

/** In the order in which a round does them. Between `unchanged` and `changed` the source is changed. */
export const works = ['first', 'unchanged', 'changed', 'restore', 'check'] as const;
export type Work = (typeof works)[number];

/** `changed`: 1 % of the files, and 1 MB inserted into the front of the big one. */
export const workTitles: Readonly<Record<Work, string>> = {
  first: 'first backup',
  unchanged: 'nothing changed',
  changed: 'some changed',
  restore: 'full restore',
  check: 'check of every byte',
};

/** The directories of one contender in one round; all are there, and empty but for the source. */
export interface Place {
  readonly source: string;
  readonly repository: string;
  /** Its key, its caches: whatever is not the repository. */
  readonly home: string;
  readonly target: string;
}

export interface Contender {
  readonly name: string;
  readonly version: string;
  /** For the report: cipher, compression, what is not equal to the others. */
  readonly options: string;
  /** Key and empty repository; not measured. */
  prepare(place: Place): Promise<void>;
  command(work: Work, place: Place): Command;
}
