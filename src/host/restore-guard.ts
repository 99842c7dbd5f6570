// What a destructive step must hold: the lease of the directory in the vault, renewed while the step runs, and the lock beside the data.

import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import { type Guard, journalState, type LockWait, restorePaths, underLock } from '../postgres/recovery/index.ts';
import type { Lease, Vault } from '../vault/types.ts';

const ttlMs = 60_000;
/** An attempt that was given up learns of it with its next renewal, every 20 s, and needs a while to leave. */
const zombieLeavesWithinMs = 120_000;
/** A person waits: long enough for a holder that was killed a moment ago. */
const personWaitsMs = 10_000;

export interface GuardServices {
  readonly host: string;
  readonly logger: Logger;
  vault(): Promise<Vault>;
}

export interface GuardedPlace {
  readonly dataDirectory: string;
  /** The restore's run: journal and lease speak of it. */
  readonly run: string;
  /** Who takes the lease; another attempt of the same one takes it over at once. */
  readonly owner: string;
  /** An undo must be possible while no store answers at all. */
  readonly undo: boolean;
  /** The highest token in the journal, of an engine that has one of its own. */
  readonly above?: number;
}

/**
 * For the steps of a run: the lease first, which fences an earlier attempt that was given up and may still be writing; then its
 * lock is waited for until it has left. Throws `LOCKED` when it stays or has taken over in turn, `FENCED` when somebody else took over.
 */
export async function guarded<T>(
  services: GuardServices,
  place: GuardedPlace,
  work: (guard: Guard) => Promise<T>,
  wait: LockWait = {},
): Promise<T> {
  const paths = restorePaths(place.dataDirectory, place.run);
  const step = withLease(services, place, {}, (guard) =>
    underLock(paths, guard, work, { waitMs: zombieLeavesWithinMs, ...wait }),
  );
  return await step.catch((error: unknown) => {
    throw betweenAttempts(error, place);
  });
}

/**
 * The lease alone, for places whose engine has a lock of its own. Throws as `guarded`.
 */
export async function leased<T>(
  services: GuardServices,
  place: GuardedPlace,
  work: (guard: Guard) => Promise<T>,
): Promise<T> {
  return await withLease(services, place, {}, work).catch((error: unknown) => {
    throw betweenAttempts(error, place);
  });
}

/**
 * Which attempt of a step counts only Temporal knows: one that was given to a process that stood still begins late and fences the one that counts.
 * So whoever was fenced by its own run may be tried again; of the one that does not count nobody takes the answer.
 */
function betweenAttempts(error: unknown, { owner }: GuardedPlace): unknown {
  if (!isHoldfastError(error, 'FENCED') || error.details?.owner !== owner) return error;
  return new HoldfastError('LOCKED', `another attempt of the same step has begun: ${error.message}`, {
    hint: 'the attempt that counts is made again, and waits until the other has left',
    cause: error,
  });
}

/**
 * For a person without Temporal: the lock first, so that no step which a worker is at is ever fenced. Once it is ours nobody on
 * this host is at one, and a lease that an ended process of the same restore has left is taken over. Throws `LOCKED`.
 */
export async function guardedByPerson<T>(
  services: GuardServices,
  place: GuardedPlace,
  work: (guard: Guard) => Promise<T>,
): Promise<T> {
  const paths = restorePaths(place.dataDirectory, place.run);
  const locked = (held: Guard) => withLease(services, place, held, work);
  return await underLock(paths, { token: 0 }, locked, { waitMs: personWaitsMs });
}

async function withLease<T>(
  services: GuardServices,
  place: GuardedPlace,
  held: Omit<Guard, 'token'>,
  work: (guard: Guard) => Promise<T>,
): Promise<T> {
  const above = place.above ?? (await journalState(place.dataDirectory, place.run))?.token ?? 0;
  const lease = await acquire(services, place, above, held.locked !== undefined);
  if (lease === undefined) return await work({ ...held, token: above + 1 });
  const gone = new AbortController();
  const lost = AbortSignal.any([gone.signal, ...(held.lost === undefined ? [] : [held.lost])]);
  const renewal = setInterval(() => {
    lease.renew().catch((error: unknown) => {
      if (isHoldfastError(error, 'FENCED')) gone.abort(error);
      else services.logger.warn({ reason: String(error) }, 'the lease was not renewed');
    });
  }, ttlMs / 3);
  const check = async () => {
    lost.throwIfAborted();
    await held.check?.();
    await lease.check();
  };
  try {
    const result = await work({ ...held, token: lease.token, check, lost });
    lost.throwIfAborted();
    return result;
  } catch (error) {
    throw lost.aborted ? lost.reason : error;
  } finally {
    clearInterval(renewal);
    await lease.release().catch(() => undefined);
  }
}

/**
 * `undefined` when too few copies answer for a lease: recovery must be possible with the last copy that is left. The directory is on
 * this one host, where the lock and the journal beside it stand in for the lease.
 */
async function acquire(
  { vault, host, logger }: GuardServices,
  { dataDirectory, run, owner, undo }: GuardedPlace,
  above: number,
  isLocked: boolean,
): Promise<Lease | undefined> {
  const digest = createHash('sha256').update(`${host}\n${dataDirectory}`).digest('hex').slice(0, 16);
  const take = async (as: string) => await (await vault()).acquireLease(`restore-${digest}`, as, ttlMs, above);
  try {
    return await take(owner).catch(async (error: unknown) => {
      const holder = isHoldfastError(error, 'LOCKED') ? String(error.details?.owner) : '';
      if (isLocked && isOfRun(holder, run)) return await take(holder);
      throw explained(error, holder);
    });
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

/** Its own steps, and its rollback or confirmation. */
function isOfRun(owner: string, run: string): boolean {
  return owner === run || owner.endsWith(` of ${run}`);
}

function explained(error: unknown, holder: string): unknown {
  if (!isHoldfastError(error, 'LOCKED')) return error;
  return new HoldfastError('LOCKED', error.message, {
    hint: `'${holder}' is at work on this directory; if its process was killed, its claim ends within two minutes`,
    ...(error.details === undefined ? {} : { details: error.details }),
  });
}
