// What every contender of every bench is: a name, its exact version and options, and a command for each piece of work.

import type { Command } from './command.ts';

/** The directories of one contender in one round. */
export interface Place {
  readonly repository: string;
  /** Its key, its configuration, its caches and state: whatever is not the repository. */
  readonly home: string;
  /** What is restored goes below. */
  readonly target: string;
}

export interface AnyContender<Work extends string, Where extends Place = Place> {
  readonly name: string;
  readonly version: string;
  /** For the report: cipher, compression, what is not equal to the others. */
  readonly options: string;
  /** Repository, key and configuration; not measured. */
  prepare(place: Where): Promise<void>;
  command(work: Work, place: Where): Command;
}

/** What its last command says of its own run. */
export interface TellsSteps {
  /** In ms; absent: it says nothing. */
  steps?(place: Place): Promise<Readonly<Record<string, number>>>;
}
