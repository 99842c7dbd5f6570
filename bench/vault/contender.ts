// What takes part: a name, its exact version and options, and a command for each piece of work.

import type { AnyContender, Place as AnyPlace } from '../lib/contender.ts';

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

/** All are there, and empty but for the source. */
export interface Place extends AnyPlace {
  readonly source: string;
}

export type Contender = AnyContender<Work, Place>;
