// What every operation of the driver is given: the estate of the bench, and the files by which the bench is told things.

import type { Configuration, RedisSettings } from '../../../config/index.ts';

export interface Given {
  readonly configuration: Configuration;
  readonly redis: RedisSettings;
  /** Directory of a restore. */
  readonly target: string;
  /** Where a restore writes how its server is reached. */
  readonly report: string;
  /** Where it is written what took how long. */
  readonly steps: string;
}

export type Operation = (given: Given) => Promise<void>;
