// Log that a second worker of the same host takes from the slot, while there are two: what it has brought is asked of the copies.

import type { ComponentId } from '../domain/component.ts';
import { lsnFrom } from '../domain/lsn.ts';
import { isHoldfastError } from '../errors/index.ts';
import { type LogPosition, policyPosition } from '../postgres/receiver/index.ts';
import { requireLog, type Vault } from '../vault/index.ts';

export interface LogOfCluster {
  readonly component: ComponentId;
  readonly systemId: string;
}

/**
 * Whether the log right before the position is on that copy, or on as many as the policy asks for: receivers bring it in its order. A
 * copy that does not answer holds nothing.
 */
export async function isBrought(
  vault: Vault,
  { component, systemId }: LogOfCluster,
  where: string | 'policy',
  position: LogPosition,
): Promise<boolean> {
  const { copies, policy } = vault;
  const { timeline, at } = position;
  const asked = copies.filter(({ name }) => where === 'policy' || where === name);
  const holding = new Map<string, LogPosition>();
  await Promise.all(
    asked.map(async ({ name }) => {
      try {
        await requireLog(vault.log(component, systemId, name), timeline, lsnFrom(at - 1n), lsnFrom(at));
        holding.set(name, position);
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
      }
    }),
  );
  return where === 'policy' ? policyPosition(holding, copies, policy) !== undefined : holding.has(where);
}
