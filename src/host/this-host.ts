// Which of the configured hosts this machine is.

import os from 'node:os';
import type { Configuration } from '../../config/index.ts';
import { fail } from '../errors/index.ts';

/**
 * The named host, else the only one, else the one that carries this machine's name. Throws `CONFIG_INVALID` when it cannot be told: a worker
 * on the wrong host would look for a database that is not there.
 */
export function thisHost(configuration: Configuration, named?: string): string {
  const names = Object.keys(configuration.hosts);
  if (named !== undefined) {
    if (names.includes(named)) return named;
    return fail('CONFIG_INVALID', `no host '${named}' is configured`, { hint: `hosts: ${names.join(', ')}` });
  }
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  const own = os.hostname();
  const found = names.find((name) => name === own) ?? names.find((name) => name === own.split('.')[0]);
  if (found !== undefined) return found;
  return fail('CONFIG_INVALID', `none of the configured hosts carries this machine's name '${own}'`, {
    hint: `say which one this is with '--host NAME': ${names.join(', ')}`,
  });
}
