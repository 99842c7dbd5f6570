// Accepting on a host that has the keys that a copy shows less than it held; needs no Temporal.

import type { Logger } from 'pino';
import type { Configuration } from '../../config/index.ts';
import type { PutBack } from '../domain/heads.ts';
import { openConfiguredVault } from './open-vault.ts';
import { acceptPutBack } from './put-back.ts';
import { thisHost } from './this-host.ts';

export async function acceptHere(
  configuration: Configuration,
  logger: Logger,
  putBack: readonly PutBack[],
  by: string,
): Promise<void> {
  const vault = await openConfiguredVault(configuration, { host: thisHost(configuration), logger });
  try {
    await acceptPutBack(vault, putBack, by);
  } finally {
    await vault.close();
  }
}
