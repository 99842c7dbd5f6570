// Questions that can be answered through Temporal or, when it cannot be reached, by this host itself; the answer says which way it came.

import type { HoldfastClient, HostService } from '../domain/client.ts';
import { HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import type { Context } from './context.ts';
import type { Result } from './result.ts';

export interface Answer<Value> {
  readonly value: Value;
  readonly temporal: NonNullable<Result['temporal']>;
}

/**
 * Asks through Temporal first, because the host with the keys is often another one. Without Temporal, or without a worker on the host, the vault is
 * read from here; when that fails too the first error is thrown, with the second one in its hint.
 */
export async function answerFrom<Value>(
  context: Context,
  viaTemporal: (client: HoldfastClient) => Promise<Value>,
  viaHost: (host: HostService) => Promise<Value>,
): Promise<Answer<Value>> {
  if (context.options.standalone)
    return { value: await viaHost(await context.host()), temporal: { state: 'not asked' } };
  try {
    return { value: await viaTemporal(await context.client()), temporal: { state: 'reachable' } };
  } catch (error) {
    if (!isHoldfastError(error, 'TEMPORAL_UNREACHABLE', 'NO_WORKER')) throw error;
    const state = error.code === 'NO_WORKER' ? 'reachable' : 'unreachable';
    try {
      return { value: await viaHost(await context.host()), temporal: { state, error: error.toJSON() } };
    } catch (second) {
      const own = toHoldfastError(second);
      throw new HoldfastError(error.code, error.message, {
        hint: `${error.hint}; this host could not answer by itself either: ${own.message}`,
        cause: second,
        details: { ...error.details, host: own.toJSON() },
      });
    }
  }
}
