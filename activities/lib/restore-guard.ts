// What a destructive step must hold: the lease of the directory in the vault, renewed while the step runs.

import { createHash } from 'node:crypto';
import { isHoldfastError } from '../../src/errors/index.ts';
import { type Guard, journalState } from '../../src/postgres/recovery/index.ts';
import type { HostServices } from './host-services.ts';

const ttlMs = 60_000;

export interface GuardedPlace {
  readonly dataDirectory: string;
  /** The restore's run: journal and lease speak of it. */
  readonly run: string;
  /** Who takes the lease; another attempt of the same one takes it over at once. */
  readonly owner: string;
  /** An undo must be possible while no store answers at all. */
  readonly undo: boolean;
}

export async function guarded<T>(
  services: HostServices,
  place: GuardedPlace,
  work: (guard: Guard) => Promise<T>,
): Promise<T> {
  const lease = await acquire(services, place);
  if (lease === undefined) {
    const state = await journalState(place.dataDirectory, place.run);
    return await work({ token: state?.token ?? 1 });
  }
  const renewal = setInterval(() => {
    lease
      .renew()
      .catch((error: unknown) => services.logger.warn({ reason: String(error) }, 'the lease was not renewed'));
  }, ttlMs / 3);
  try {
    return await work({ token: lease.token, check: () => lease.check() });
  } finally {
    clearInterval(renewal);
    await lease.release().catch(() => undefined);
  }
}

/**
 * `undefined` when too few copies answer for a lease: recovery must be possible with the last copy that is left. The directory is on
 * this one host, where the lock and the journal beside it stand in for the lease.
 */
async function acquire(services: HostServices, { dataDirectory, owner, undo }: GuardedPlace) {
  const { vault, host, logger } = services;
  const digest = createHash('sha256').update(`${host}\n${dataDirectory}`).digest('hex').slice(0, 16);
  try {
    return await (await vault()).acquireLease(`restore-${digest}`, owner, ttlMs);
  } catch (error) {
    const alone = isHoldfastError(error, 'POLICY_UNMET') || (undo && isHoldfastError(error, 'STORE_UNAVAILABLE'));
    if (!alone) throw error;
    logger.warn(
      { dataDirectory, owner },
      'too few copies answer for a lease: lock and journal beside the data guard alone',
    );
    return undefined;
  }
}
