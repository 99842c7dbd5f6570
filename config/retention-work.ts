// What retention has to do by a configuration, and where: judge by `keep` what may go, and keep what is held locked where a copy locks.

import { componentsOf } from './components.ts';
import type { Configuration } from './types.ts';

/** No component has `keep`: nothing is ever marked or deleted. */
export function keepsAll(configuration: Configuration): boolean {
  return componentsOf(configuration).every(({ keep }) => keep === undefined);
}

/** A hold on such a copy is kept locked by each run of retention, also where nothing is ever deleted. */
export function isAnyLocked({ vault }: Pick<Configuration, 'vault'>): boolean {
  return Object.values(vault.copies).some(({ s3 }) => s3?.lock !== undefined);
}

/** A host whose worker can do it; `undefined` where there is nothing to do. */
export function retentionHost(configuration: Configuration): string | undefined {
  const all = componentsOf(configuration);
  const kept = all.find(({ keep }) => keep !== undefined);
  return (kept ?? (isAnyLocked(configuration) ? all[0] : undefined))?.host;
}
