// What a run of the Redis bench found, as the JSON report holds it.

import type { Machine } from '../lib/machine.ts';
import type { Profile } from '../lib/profile.ts';
import type { WorkResult } from '../lib/taken.ts';
import type { Work } from './contender.ts';
import type { CorpusFacts } from './load.ts';

export interface ContenderResult {
  readonly name: string;
  readonly version: string;
  readonly options: string;
  readonly isChecked: boolean;
  readonly works: Readonly<Partial<Record<Work, WorkResult>>>;
}

export type Profiles = Readonly<Partial<Record<Work, Profile>>>;

export interface RedisResult {
  readonly bench: 'redis';
  readonly at: string;
  readonly commit: string;
  readonly machine: Machine;
  /** Of the server. */
  readonly version: string;
  readonly corpus: CorpusFacts;
  readonly rounds: number;
  /** Others used more of the machine than their share (`NOISY_SHARE`) during some command that counts: no figure to keep. */
  readonly isNoisy: boolean;
  readonly contenders: readonly ContenderResult[];
  /** Of Holdfast. */
  readonly profiles: Profiles;
}
