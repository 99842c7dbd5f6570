// What a run of the PostgreSQL bench found, as the JSON report holds it.

import type { Machine } from '../lib/machine.ts';
import type { Measurement } from '../lib/measure.ts';
import type { Profile } from '../lib/profile.ts';
import type { WorkResult as AnyWorkResult } from '../lib/taken.ts';
import type { Lag } from './arrivals.ts';
import type { Work } from './contender.ts';
import type { CorpusFacts } from './load.ts';

export interface WorkResult extends AnyWorkResult {
  /** Of a restore: how long its server waited for its `restore_command`; median. */
  readonly waitedS: number;
}

/** A burst of log while it was taken, and log that the server had kept before. */
export interface Burst {
  readonly bytes: number;
  /** From its first byte until the last one was durable in the repository. */
  readonly wallS: number;
  /** Of that, after the server had written the last one. */
  readonly behindS: number;
  /** From the start of taking kept log, of as many bytes, until it was durable. */
  readonly backlogS: number;
  readonly measurement: Measurement;
}

/** Of the receiver alone: `burst` while it takes one, `kept` while it takes what the server had kept. */
export type Profiles = Readonly<Partial<Record<Work | 'burst' | 'kept', Profile>>>;

/** pgbench at full speed. */
export interface Load {
  readonly tps: number;
  /** Absent without anybody who takes the log. */
  readonly lag?: Lag;
  readonly measurement: Measurement;
}

export interface ContenderResult {
  readonly name: string;
  readonly version: string;
  readonly options: string;
  readonly works: Readonly<Partial<Record<Work, WorkResult>>>;
  /** By round; none for who takes no log. */
  readonly bursts: readonly Burst[];
  readonly loads: readonly Load[];
}

export interface PostgresResult {
  readonly bench: 'postgres';
  readonly at: string;
  readonly commit: string;
  readonly machine: Machine;
  /** Of the server. */
  readonly version: string;
  readonly corpus: CorpusFacts;
  readonly rounds: number;
  /** Before an incremental backup. */
  readonly transactions: number;
  /** Of a load, in seconds. */
  readonly loadS: number;
  /** Bursts and loads that met others and do not count. */
  readonly setAside: number;
  /** Others used more of the machine than their share (`NOISY_SHARE`) during some command: no figure to keep. */
  readonly isNoisy: boolean;
  readonly contenders: readonly ContenderResult[];
  /** The same load while nobody takes the log. */
  readonly unburdened: readonly Load[];
  /** Of Holdfast. */
  readonly profiles: Profiles;
}
