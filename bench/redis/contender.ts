// What takes part: a name, its exact version and options, and a command for each piece of work.

import type { AnyContender, Place, TellsSteps } from '../lib/contender.ts';

export type { Place };

/** In the order in which a round does them. */
export const works = ['capture', 'restore'] as const;
export type Work = (typeof works)[number];

export const workTitles: Readonly<Record<Work, string>> = {
  capture: 'capture',
  restore: 'restore to a server that answers',
};

/** Of `restore` the server runs when the command has ended. */
export interface Contender extends AnyContender<Work>, TellsSteps {
  /** What it captures, and gives back, goes through `redis-check-rdb`. */
  readonly isChecked: boolean;
  /** What it takes part in. */
  readonly works: readonly Work[];
  /** After a restore: the socket of its server. */
  restored(place: Place): Promise<string>;
}
