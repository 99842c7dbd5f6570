// What takes part: a name, its exact version and options, commands for the pieces of work, and how it takes the log.

import type { Command } from '../lib/command.ts';
import type { AnyContender, Place, TellsSteps } from '../lib/contender.ts';

export type { Place };

/** In the order in which a round does them. Between `full` and `incremental` a fixed number of transactions runs. */
export const works = ['full', 'incremental', 'restore', 'verify', 'decrypt', 'recovery'] as const;
export type Work = (typeof works)[number];

export const workTitles: Readonly<Record<Work, string>> = {
  full: 'full backup',
  incremental: 'incremental backup',
  restore: 'restore to a server that answers',
  verify: 'verification of what is stored',
  decrypt: 'verification of what it decrypts to',
  recovery: 'recovery to a time',
};

export interface Contender extends AnyContender<Work>, TellsSteps {
  /** What it takes part in. */
  readonly works: readonly Work[];
  /** `moment`: of a recovery, as ISO 8601. Of `restore` and `recovery` the server runs when the command has ended. */
  command(work: Work, place: Place, moment?: string): Command;
  /** After a restore or a recovery: how its server is asked, and ended. */
  restored(place: Place): Promise<Restored>;
  /** How it takes the log; absent: it does not. */
  log?(place: Place): LogService;
  /** Whatever of it is left in the server, when the round is over. */
  leave?(): Promise<void>;
}

export interface Restored {
  /** For a client: `PGHOST` and the others. */
  readonly environment: Readonly<Record<string, string>>;
  readonly dataDirectory: string;
}

/** Everything in front of `lsn` was durable in the repository at this time. */
export interface Arrival {
  readonly lsn: bigint;
  /** Milliseconds since 1970, with fractions. */
  readonly atMs: number;
}

export interface LogService {
  /** Log that the server has kept meanwhile is taken too. */
  start(): Promise<void>;
  /** From then on the server keeps its log. */
  stop(): Promise<void>;
  /** Processes of it, by name, that are not below the server. */
  pids(): Readonly<Record<string, number>>;
  /** In the order of time; each further than the one before. */
  arrivals(): Promise<readonly Arrival[]>;
}
