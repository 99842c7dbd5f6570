// A new copy from this host: its store is tried, and it becomes a copy of the vault; the catch-up that fills it is a run of its own.

import type { Logger } from 'pino';
import type { Configuration } from '../../config/index.ts';
import type { SeedPlan } from '../domain/copies-report.ts';
import type { Vault } from '../vault/index.ts';
import { openConfiguredVault } from './open-vault.ts';
import { storeStep } from './setup.ts';
import { thisHost } from './this-host.ts';

export class SeedHere {
  readonly #vault: Vault;
  readonly #configuration: Configuration;
  readonly #copy: string;

  private constructor(vault: Vault, configuration: Configuration, copy: string) {
    this.#vault = vault;
    this.#configuration = configuration;
    this.#copy = copy;
  }

  /** Throws as `openVault` does. */
  static async open(configuration: Configuration, logger: Logger, copy: string): Promise<SeedHere> {
    const vault = await openConfiguredVault(configuration, { host: thisHost(configuration), logger });
    return new SeedHere(vault, configuration, copy);
  }

  /** Throws `STORE_UNFIT` when the store holds something, `VAULT_OTHER`. */
  plan(): Promise<SeedPlan> {
    return this.#vault.seedPlan(this.#copy);
  }

  /** Throws `STORE_UNFIT` when the store is not fit, or not empty any more. Nothing happens to what is a copy already. */
  async adopt(): Promise<void> {
    await storeStep(this.#configuration, this.#copy, { dryRun: false });
    await this.#vault.adoptCopy(this.#copy);
  }

  close(): Promise<void> {
    return this.#vault.close();
  }
}
