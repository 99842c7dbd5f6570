// What the drivers of a configured estate have in common: its vault, and what took how long.

import { writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import type { Configuration } from '../../config/index.ts';
import { openConfiguredVault } from '../../src/host/open-vault.ts';
import type { Vault } from '../../src/vault/index.ts';

/** In every configuration of the benches. */
export const HOST = 'here';
export const logger = pino({ level: 'warn' }, pino.destination(2));

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

  /** Everything since the step before, up to now or to a moment of `performance.now()`. */
  done(step: string, atMs = performance.now()): void {
    this.#took[step] = (this.#took[step] ?? 0) + Math.round(atMs - this.#doneMs);
    this.#doneMs = atMs;
  }

  /** Of a step, told otherwise. */
  note(what: string, ms: number): void {
    this.#took[what] = ms;
  }

  async write(): Promise<void> {
    await writeFile(this.#file, JSON.stringify(this.#took));
  }
}
