// What a kind of component must give so that its restores in place can be ended by their journals alone.

import type { ComponentSettings } from '../../config/index.ts';
import type { RunStatus, StepStatus } from '../domain/operations.ts';
import type { StandaloneRestore } from '../domain/standalone.ts';
import type { FilesRestoring } from './restore-files.ts';

export type Found = StandaloneRestore;

export interface Ended extends Pick<RunStatus, 'message' | 'data'> {
  readonly steps?: readonly StepStatus[];
}

export interface StandaloneServices extends FilesRestoring {
  /** Told each step as it is done. */
  readonly onStep?: (words: string) => void;
}

type End<Settings> = (
  services: StandaloneServices,
  settings: Settings,
  found: Found,
  /** Of the lease. */
  owner: string,
) => Promise<Ended>;

export interface JournaledKind<Settings extends ComponentSettings = ComponentSettings> {
  /** Of a restore. */
  readonly operation: RunStatus['operation'];
  /** Newest last. */
  find(settings: Settings, services: StandaloneServices): Promise<readonly Found[]>;
  /** Where journals are, for people. */
  journals(settings: Settings, services: StandaloneServices): readonly string[];
  readonly rollback: End<Settings>;
  readonly confirm: End<Settings>;
  readonly resume: End<Settings>;
}
