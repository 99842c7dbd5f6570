// What every operation of the driver is given: the estate of the bench, its vault, and the files by which the bench is told things.

import { pino } from 'pino';
import type { Configuration, DatabaseSettings } from '../../../config/index.ts';
import { openConfiguredVault } from '../../../src/host/open-vault.ts';
import type { Vault } from '../../../src/vault/index.ts';

export const HOST = 'here';
export const logger = pino({ level: 'warn' }, pino.destination(2));

export interface Given {
  readonly configuration: Configuration;
  readonly database: DatabaseSettings;
  /** Where the receiver writes when log became durable. */
  readonly arrivals: string;
  /** Where a restore writes what it made. */
  readonly report: string;
  /** Of a restore. */
  readonly target: string | undefined;
  readonly to: string | undefined;
  readonly incremental: boolean;
}

export type Operation = (given: Given) => Promise<void>;

export async function withVault<T>(
  configuration: Configuration,
  purpose: 'backup' | 'restore',
  use: (vault: Vault) => Promise<T>,
): Promise<T> {
  const vault = await openConfiguredVault(configuration, { host: HOST, logger, purpose });
  try {
    return await use(vault);
  } finally {
    await vault.close();
  }
}
