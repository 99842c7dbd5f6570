// What a person should know before saying yes: which parts of production will not survive a new timeline, and who answers at its address.

import type { ComponentId } from '../../domain/component.ts';
import { shortMoment } from '../../domain/moment.ts';
import { fail } from '../../errors/index.ts';
import { withPlain } from '../connection/index.ts';
import type { RestorePlan } from '../types.ts';
import { managedBy } from './preflight.ts';
import type { Resolution } from './resolve.ts';

interface Dependents {
  readonly systemId: string;
  readonly standbys: readonly string[] | null;
  readonly slots: readonly string[] | null;
  readonly subscriptions: readonly string[] | null;
  readonly publications: readonly string[] | null;
}

const dependentsSql = `
  select (select system_identifier::text from pg_control_system()) as "systemId",
         (select array_agg(distinct application_name) from pg_stat_replication where application_name not like 'holdfast%') as standbys,
         (select array_agg(slot_name::text) from pg_replication_slots where slot_name not like 'holdfast%') as slots,
         (select array_agg(subname::text) from pg_subscription) as subscriptions,
         (select array_agg(pubname::text) from pg_publication) as publications`;

/**
 * In words. Throws `TARGET_UNFIT` when somebody else manages the cluster, and `DATABASE_IDENTITY` when another cluster answers at
 * the configured address than the one that lies in the data directory.
 */
export async function productionWarnings(
  component: ComponentId,
  url: string | undefined,
  production: RestorePlan['production'],
): Promise<string[]> {
  if (production === undefined) return [];
  const { dataDirectory, running, systemId } = production;
  const manager = await managedBy(dataDirectory);
  if (manager !== undefined) {
    fail('TARGET_UNFIT', `'${dataDirectory}' is managed by ${manager}, which would undo the restore`, {
      hint: 'take the cluster out of its hands first, or restore with `--beside DIR`',
    });
  }
  if (!running) return ['production does not run: what it had not shipped yet is only in its directory'];
  if (url === undefined) return [];
  const found = await askProduction(component, url);
  if (found === undefined) {
    return ['production could not be asked for standbys, slots and subscriptions: those that exist will break'];
  }
  if (found.systemId !== systemId) {
    fail(
      'DATABASE_IDENTITY',
      `cluster ${found.systemId} answers at the configured url, '${dataDirectory}' is ${systemId}`,
    );
  }
  return inWords(found);
}

/** `undefined` when it does not answer: a plan for a database in trouble must not depend on its answers. */
async function askProduction(component: ComponentId, url: string): Promise<Dependents | undefined> {
  try {
    const [found] = await withPlain({ url, component }, (connection) =>
      connection.query<Dependents & Record<string, unknown>>('ask what depends on production', dependentsSql),
    );
    return found;
  } catch {
    return undefined;
  }
}

function inWords({ standbys, slots, subscriptions, publications }: Dependents): string[] {
  const list = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ');
  return [
    ...(standbys ? [`standbys that must be built again: ${list(standbys)}`] : []),
    ...(slots ? [`replication slots that will be gone: ${list(slots)}`] : []),
    ...(publications && slots ? ['subscribers may have rows that no longer exist here'] : []),
    ...(subscriptions ? [`subscriptions that may receive rows again or miss some: ${list(subscriptions)}`] : []),
  ];
}

export function resolutionWarnings({ passedOver, resolved, leftBehind }: Resolution): string[] {
  const { firstLeftOut } = resolved;
  return [
    ...(leftBehind === undefined ? [] : [leftBehindWords(leftBehind)]),
    ...(firstLeftOut === undefined
      ? []
      : [`everything from transaction ${firstLeftOut.xid} at ${shortMoment(firstLeftOut.time)} on is left out`]),
    ...passedOver.map(({ copy, message }) => `copy '${copy}' was passed over: ${message}`),
  ];
}

function leftBehindWords({ timeline, now, leftAt }: NonNullable<Resolution['leftBehind']>): string {
  const where = leftAt === undefined ? '' : ` at ${leftAt}`;
  return `this is a history that was left: an earlier restore or a promotion went from timeline ${timeline}${where} to another one, and production is on timeline ${now}; what was written there since is not in it`;
}
