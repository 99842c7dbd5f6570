// The check of a component: that the copies answer, and that everything a backup asks for is there.

import type { ComponentSettings, Configuration } from '../../config/index.ts';
import type { CheckReport, CheckResult } from '../domain/setup-report.ts';
import type { Vault } from '../vault/index.ts';
import { checkConfiguration } from './check-configuration.ts';
import { checkDatabase } from './check-database.ts';
import { checkFiles } from './check-files.ts';
import { checkRedis } from './check-redis.ts';

export interface CheckOptions {
  /** Default `CHECK_WAIT_SECONDS`. */
  readonly waitSeconds?: number;
  readonly signal?: AbortSignal;
  /** Told, before anything is waited for, why it may be in vain. */
  readonly onDoubt?: (words: string) => void;
}

export async function checkComponent(
  vault: Vault,
  configuration: Configuration,
  settings: ComponentSettings,
  options: CheckOptions = {},
): Promise<CheckReport> {
  const copies = await copyChecks(vault);
  const { checks, ...rest } = await ownChecks(vault, configuration, settings, options);
  const all = [...copies, ...checks];
  return { component: settings.id, ok: all.every(({ ok }) => ok), checks: all, ...rest };
}

async function ownChecks(
  vault: Vault,
  configuration: Configuration,
  settings: ComponentSettings,
  options: CheckOptions,
): Promise<Omit<CheckReport, 'component' | 'ok'>> {
  switch (settings.kind) {
    case 'database':
      return await checkDatabase(vault, configuration, settings, options);
    case 'redis':
      return { checks: await checkRedis(settings) };
    case 'files':
      return { checks: await checkFiles(configuration, settings, options.signal) };
    case 'configuration': {
      const signal = options.signal ?? new AbortController().signal;
      return { checks: await checkConfiguration(configuration, settings, signal) };
    }
  }
}

async function copyChecks(vault: Vault): Promise<CheckResult[]> {
  return (await vault.conditions()).map((condition) => {
    const location = vault.copies.find(({ name }) => name === condition.name)?.location ?? condition.name;
    const name = `copy ${condition.name}`;
    if (condition.state === 'ready') return { name, ok: true, message: `the vault answers at ${location}` };
    return { name, ok: false, message: condition.error.message, hint: condition.error.hint };
  });
}
