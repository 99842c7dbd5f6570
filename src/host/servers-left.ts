// Which servers restores have left running on this host, for whoever takes away what they were started by.

import type { Logger } from 'pino';
import { type Configuration, componentsOf, stateDirectoryOf } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { openConfiguredVault } from './open-vault.ts';
import { restoresLeft } from './restores-left.ts';
import { readRunRecords, recordsOf } from './run-records.ts';
import { thisHost } from './this-host.ts';

export interface ServerLeft {
  readonly run: string;
  readonly component: ComponentId;
  readonly dataDirectory: string;
}

export interface ServersLeft {
  readonly servers: readonly ServerLeft[];
  /** In words, what could not be looked for. */
  readonly notKnown: readonly string[];
}

/** Never throws. Without a vault nothing was ever restored. */
export async function serversLeft(configuration: Configuration, { logger }: { logger: Logger }): Promise<ServersLeft> {
  try {
    const host = thisHost(configuration);
    const vault = await openConfiguredVault(configuration, { host, logger });
    try {
      const records = await readRunRecords(vault);
      const asked = { host, estate: configuration.name, stateDirectory: stateDirectoryOf(configuration, host) };
      const own = componentsOf(configuration).filter((each) => each.host === host);
      const looks = await Promise.all(
        own.map(async (each) => ({ id: each.id, ...(await restoresLeft(each, recordsOf(records, each.id), asked)) })),
      );
      return {
        servers: looks.flatMap(({ id, found }) =>
          found
            .filter(({ state }) => state === 'serving')
            .map(({ run, dataDirectory }) => ({ run, component: id, dataDirectory })),
        ),
        notKnown: looks.flatMap(({ notKnown }) =>
          notKnown.filter(({ of }) => of === 'server').map(({ what, error }) => `${what}: ${error.message}`),
        ),
      };
    } finally {
      await vault.close();
    }
  } catch (error) {
    if (isHoldfastError(error, 'VAULT_MISSING')) return { servers: [], notKnown: [] };
    return { servers: [], notKnown: [toHoldfastError(error).message] };
  }
}
