// What takes part: a name, its exact version and options, and a command for each piece of work.

import type { Command } from '../lib/command.ts';

/** In the order in which a round does them. */
export const works = ['capture', 'restore'] as const;
export type Work = (typeof works)[number];

export const workTitles: Readonly<Record<Work, string>> = {
  capture: 'capture',
  restore: 'restore to a server that answers',
};

/** The directories of one contender in one round. */
export interface Place {
  readonly repository: string;
  /** Its key, its configuration, its spool: whatever is not the repository. */
  readonly home: string;
  /** Of what is restored; emptied afterwards. */
  readonly target: string;
}

export interface Contender {
  readonly name: string;
  readonly version: string;
  /** For the report: cipher, compression, what is not equal to the others. */
  readonly options: string;
  /** What it captures, and gives back, goes through `redis-check-rdb`. */
  readonly isChecked: boolean;
  /** What it takes part in. */
  readonly works: readonly Work[];
  /** Repository, key and configuration; not measured. */
  prepare(place: Place): Promise<void>;
  /** Of `restore` the server runs when the command has ended. */
  command(work: Work, place: Place): Command;
  /** After a restore: the socket of its server. */
  restored(place: Place): Promise<string>;
  /** What its last command says of its own run, in ms; absent: it says nothing. */
  steps?(place: Place): Promise<Readonly<Record<string, number>>>;
}
