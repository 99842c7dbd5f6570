// Log that a second worker of the same host takes from the slot, while there are two: how far it has brought it is asked of the copies.

import type { ComponentId } from '../domain/component.ts';
import { lsnValue } from '../domain/lsn.ts';
import { isHoldfastError } from '../errors/index.ts';
import { type LogPosition, policyPosition } from '../postgres/receiver/index.ts';
import { logEnd, type Vault } from '../vault/index.ts';

export interface LogOfTimeline {
  readonly component: ComponentId;
  readonly systemId: string;
  readonly timeline: number;
}

/**
 * Up to where the log is on that copy, or on as many as the policy asks for: receivers bring it in its order. A copy that does not answer
 * holds nothing; `undefined`: too few do.
 */
export async function broughtTo(
  vault: Vault,
  { component, systemId, timeline }: LogOfTimeline,
  where: string | 'policy',
): Promise<LogPosition | undefined> {
  const { copies, policy } = vault;
  const asked = copies.filter(({ name }) => where === 'policy' || where === name);
  const reached = new Map<string, LogPosition>();
  await Promise.all(
    asked.map(async ({ name }) => {
      try {
        const end = await logEnd(vault.log(component, systemId, name), timeline);
        if (end !== undefined) reached.set(name, { timeline, at: lsnValue(end) });
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
      }
    }),
  );
  return where === 'policy' ? policyPosition(reached, copies, policy) : reached.get(where);
}
