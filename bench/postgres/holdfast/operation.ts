// What every operation of the driver is given: the estate of the bench, its vault, and the files by which the bench is told things.

import { writeFile } from 'node:fs/promises';
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
  /** Where it is written what took how long. */
  readonly steps: string;
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

/** What took how long, in ms by the clock, one step after the other from the start of the process on. */
export class Steps {
  readonly #file: string;
  readonly #took: Record<string, number> = {};
  #doneMs = 0;

  constructor(file: string) {
    this.#file = file;
    this.done('start');
  }

  /** Everything since the step before. */
  done(step: string): void {
    const nowMs = performance.now();
    this.#took[step] = (this.#took[step] ?? 0) + Math.round(nowMs - this.#doneMs);
    this.#doneMs = nowMs;
  }

  /** Of a step, told otherwise. */
  note(what: string, ms: number): void {
    this.#took[what] = ms;
  }

  async write(): Promise<void> {
    await writeFile(this.#file, JSON.stringify(this.#took));
  }
}
