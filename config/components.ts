// All that is protected, whatever its kind: those who only need name, host, schedules and retention ask here.

import type { ComponentId } from '../src/domain/component.ts';
import { fail } from '../src/errors/index.ts';
import type { ComponentSettings, Configuration } from './types.ts';

/** In the order of kinds, then of the file. */
export function componentsOf(configuration: Configuration): readonly ComponentSettings[] {
  const { database, redis, files, configuration: ofHosts } = configuration;
  return [database, redis, files, ofHosts].flatMap((kind): ComponentSettings[] => Object.values(kind));
}

/** Throws `UNKNOWN_COMPONENT`. */
export function componentOf(configuration: Configuration, component: ComponentId | string): ComponentSettings {
  const found = componentsOf(configuration).find(({ id }) => id === component);
  return found ?? fail('UNKNOWN_COMPONENT', `no component '${component}' is configured`);
}

/** A host that has a component; any with the keys answers for the vault. */
export function anyHost(configuration: Configuration): string {
  const [first] = componentsOf(configuration);
  return first?.host ?? Object.keys(configuration.hosts)[0] ?? '';
}
