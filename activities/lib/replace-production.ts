// The two steps of a restore that touch production: the swap with the last log of the old server, and the log of the new one.

import { isHoldfastError } from '../../src/errors/index.ts';
import { journalState, swapIn, verifyProduction } from '../../src/postgres/recovery/index.ts';
import type { RestorePlan } from '../../src/postgres/types.ts';
import { type HostServices, sourceOf } from './host-services.ts';
import type { RunningPlan } from './running-plan.ts';

/** The last log of a stopped server is waited for this long; the old directory keeps it in any case. */
const shipWithinMs = 2 * 60_000;

export async function replaceProduction(services: HostServices, { plan, guard, running: { signal } }: RunningPlan) {
  const { receivers, logger } = services;
  const { component } = plan;
  const source = await sourceOf(services, component);
  const shipped = async ({ timeline, endLsn }: { timeline: number; endLsn: Parameters<typeof receivers.drain>[2] }) => {
    try {
      await receivers.drain(component, timeline, endLsn, AbortSignal.any([signal, AbortSignal.timeout(shipWithinMs)]));
      return { durable: true };
    } catch {
      return { durable: false, note: 'the last log did not reach the copies in time; the old directory keeps it' };
    } finally {
      await receivers.pause(component);
    }
  };
  const verify = (expected: { systemId: string; timeline: number }) => verifyProduction(source, expected);
  try {
    const { swapMs } = await swapIn(plan, { ...guard, shipped, verify });
    return { swapMs };
  } finally {
    // Of a run that was terminated nobody takes another step. Where the swap is not over, the journal keeps the receiver back.
    await receivers.resume(component).catch((error: unknown) => {
      // It is tried again by itself; what became of the swap is what has to be told.
      logger.warn({ component, err: error }, 'the log is not received again yet');
    });
  }
}

/** Where the swap's last login was refused, the receiver's is too: it goes on trying by itself, and the restore does not wait for that. */
export async function resumeLog(
  { receivers }: HostServices,
  plan: RestorePlan,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { component, place, run } = plan;
  await receivers.resume(component);
  const warnings = (await journalState(place.dataDirectory, run))?.warnings ?? [];
  if (warnings.length > 0) return warnings;
  try {
    await receivers.ensure(component, signal);
    return [];
  } catch (error) {
    if (isHoldfastError(error, 'SLOT_BUSY') && error.details?.isRefused === true)
      return [`${error.message}; ${error.hint}`];
    throw error;
  }
}
