// What a run of the vault's bench found, as the JSON report holds it.

import type { Machine } from '../lib/machine.ts';
import type { WorkResult } from '../lib/taken.ts';
import type { Work } from './contender.ts';
import type { Profiles } from './profiles.ts';

export interface ContenderResult {
  readonly name: string;
  readonly version: string;
  readonly options: string;
  readonly works: Readonly<Record<Work, WorkResult>>;
  /** During one more first backup, which was not timed. */
  readonly syncs: number;
}

export interface CorpusFacts {
  readonly seed: string;
  readonly scale: number;
  readonly files: number;
  readonly sizeBytes: number;
}

export interface VaultResult {
  readonly bench: 'vault';
  readonly at: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly corpus: CorpusFacts;
  readonly rounds: number;
  /** Others used more of the machine than its share (`NOISY_SHARE`) during some command: no figure to keep. */
  readonly isNoisy: boolean;
  readonly contenders: readonly ContenderResult[];
  /** Of Holdfast. */
  readonly profiles: Profiles;
}
