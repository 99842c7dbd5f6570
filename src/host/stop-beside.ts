// The end of a server that a restore left beside production, of either kind: by its plan, whoever asks for it.

import { type Configuration, componentOf, resolveSecret } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import type { StoppedServer } from '../domain/run-data.ts';
import { fail } from '../errors/index.ts';
import {
  abandon,
  type Guard,
  isThrowaway,
  journalState,
  releaseStandby,
  stopLeft,
} from '../postgres/recovery/index.ts';
import type { RestorePlan } from '../postgres/types.ts';
import { stopRedis } from './end-redis.ts';
import { planOnHost } from './plan-on-host.ts';
import type { RedisRestoring } from './redis-places.ts';
import { type GuardServices, guarded, guardedByPerson } from './restore-guard.ts';

export interface OfRestore {
  readonly run: string;
  readonly component: ComponentId;
}

/**
 * For a person without Temporal: by what is kept of its plan, on this host or else in the vault. Throws `PLAN_CHANGED`, `NOT_FOUND`, `USAGE` for a
 * component of another host, `LOCKED` while a worker is at a step of it.
 */
export async function stopBesideOf(services: RedisRestoring, request: OfRestore): Promise<StoppedServer> {
  const { run, component } = request;
  const { kind, host } = componentOf(services.configuration, component);
  if (host !== services.host) {
    fail('USAGE', `'${component}' is on host '${host}', this is '${services.host}'`, {
      hint: `the server runs there: run this on '${host}'`,
    });
  }
  if (kind === 'redis') return await stopRedis(services, component, run);
  const plan =
    (await planOnHost(services, run)) ?? ((await (await services.reading()).getRecord(run, 'plan')) as RestorePlan);
  requirePlanOf(plan, request, services.host);
  const place = { dataDirectory: plan.place.dataDirectory, run, owner: `stop of ${run}`, undo: true };
  // What the journal says counts once nobody can be at a step.
  return await guardedByPerson(services, place, (guard) => endServer(services, plan, (remove) => remove(guard)));
}

/** Throws `PLAN_CHANGED`. */
export function requirePlanOf(plan: RestorePlan, { run, component }: OfRestore, host: string): void {
  if (plan.run === run && plan.component === component && plan.host === host) return;
  fail('PLAN_CHANGED', `the plan that was found is for ${plan.run} of ${plan.component} on '${plan.host}'`);
}

type Services = GuardServices & { readonly configuration: Configuration };

/** For the run's own worker, whose earlier attempt is fenced. */
export async function stopDatabaseBeside(services: Services, plan: RestorePlan): Promise<StoppedServer> {
  const { run, place } = plan;
  const own = { dataDirectory: place.dataDirectory, run, owner: run, undo: true };
  return await endServer(services, plan, (remove) => guarded(services, own, remove));
}

/** Of one that was only there for a while the directory goes, too. */
async function endServer(
  services: Services,
  plan: RestorePlan,
  holding: (remove: (guard: Guard) => Promise<void>) => Promise<void>,
): Promise<StoppedServer> {
  const { run } = plan;
  const { dataDirectory } = plan.place;
  const isFinished = (await journalState(dataDirectory, run))?.phase === 'finished';
  const stopped = await stopLeft(plan, isFinished);
  await forgetStandby(services, plan);
  if (!isThrowaway(plan)) return { run, ...stopped };
  await holding((guard) => abandon(dataDirectory, run, guard, plan));
  return { run, ...stopped, removed: true };
}

export const isStandby = ({ place }: RestorePlan) => place.mode === 'beside' && place.standby === true;

/** A slot that nobody reads from fills the primary's disk. */
export async function forgetStandby({ configuration }: Services, plan: RestorePlan): Promise<void> {
  if (!isStandby(plan)) return;
  const settings = componentOf(configuration, plan.component);
  if (settings.kind !== 'database') fail('UNKNOWN_COMPONENT', `'${plan.component}' is no database`);
  await releaseStandby(plan, { component: plan.component, url: await resolveSecret(settings.url) });
}
