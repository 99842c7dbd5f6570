// What every operation of the driver is given: the estate of the bench, and the files by which the bench is told things.

import type { Configuration, DatabaseSettings } from '../../../config/index.ts';

export { HOST, logger, Steps, withVault } from '../../lib/driver.ts';

export interface Given {
  readonly configuration: Configuration;
  readonly database: DatabaseSettings;
  /** Where the receiver writes when log became durable. */
  readonly arrivals: string;
  /** Where a restore writes what it made. */
  readonly report: string;
  /** Where it is written what took how long. */
  readonly steps: string;
  /** Of a restore. */
  readonly target: string | undefined;
  readonly to: string | undefined;
  readonly incremental: boolean;
  /** Of a verification: what is stored is decrypted too. */
  readonly decrypt: boolean;
}

export type Operation = (given: Given) => Promise<void>;
