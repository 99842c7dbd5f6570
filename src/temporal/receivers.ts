// The receivers of a host's log as activities use them: one keeper for each database, asked by its component.

import type { Logger } from 'pino';
import type { Receivers } from '../../activities/lib/host-services.ts';
import type { Configuration } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { type Lsn, lsnValue } from '../domain/lsn.ts';
import { fail } from '../errors/index.ts';
import { LogMemory } from '../postgres/receiver/index.ts';
import { requireLog, type Vault } from '../vault/index.ts';
import { broughtTo } from './log-of-another.ts';
import { defaultStalledAfterMs, type WaitTarget, waitForPosition } from './log-on-copy.ts';
import { ReceiverKeeper } from './receiver-keeper.ts';
import { defaultReceptionLimits, type ReceptionLimits } from './reception.ts';

export interface ReceiversOptions {
  readonly configuration: Configuration;
  readonly host: string;
  readonly vault: () => Promise<Vault>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Of all receivers of the process; default one for these. */
  readonly memory?: LogMemory;
  readonly limits?: Partial<ReceptionLimits>;
  /** How long a copy that can be done without may stand still; default five minutes. */
  readonly stalledAfterMs?: number;
  /** How long `ensure` waits for log; default five minutes. */
  readonly ensureWithinMs?: number;
}

export interface RunningReceivers extends Receivers {
  stop(): Promise<void>;
}

export function createReceivers(options: ReceiversOptions): RunningReceivers {
  const { stalledAfterMs = defaultStalledAfterMs } = options;
  const limits = { ...defaultReceptionLimits, ...options.limits };
  const { memory = new LogMemory(Object.keys(options.configuration.vault.copies).length) } = options;
  const own = Object.values(options.configuration.database).filter(({ host }) => host === options.host);
  const kept = new Map<ComponentId, ReceiverKeeper>(
    own.map((database) => [database.id, new ReceiverKeeper({ ...options, limits, memory }, database)]),
  );
  const find = (component: ComponentId) =>
    kept.get(component) ?? fail('UNKNOWN_COMPONENT', `'${component}' is not on host '${options.host}'`);
  const target = (component: ComponentId, where: string, timeline: number, to: Lsn): WaitTarget => ({
    ...{ where, position: { timeline, at: lsnValue(to) }, stalledAfterMs },
    broughtTo: async () => {
      const systemId = find(component).receiver?.state().systemId;
      return systemId === undefined
        ? undefined
        : await broughtTo(await options.vault(), { component, systemId, timeline }, where);
    },
  });
  return {
    ensure: (component, signal) => find(component).ensure(signal),
    state: (component) => find(component).receiver?.state(),
    losses: (component) => find(component).losses,
    reception: (component) => {
      const { reception } = find(component);
      const { outage } = reception;
      return { steady: reception.isSteady, ...(outage === undefined ? {} : { outage }) };
    },
    waitForLog: async (component, copy, timeline, from, to, wait) => {
      const keeper = find(component);
      await waitForPosition(keeper, target(component, copy, timeline, to), wait);
      // A cursor that jumped over a hole, or began behind `from`, has reached `to` as well.
      const { systemId = '' } = keeper.receiver?.state() ?? {};
      await requireLog((await options.vault()).log(component, systemId, copy), timeline, from, to);
    },
    drain: (component, timeline, to, signal) =>
      waitForPosition(find(component), target(component, 'policy', timeline, to), { signal }),
    pause: (component) => find(component).pause(),
    resume: (component) => find(component).resume(),
    stop: async () => {
      await Promise.allSettled([...kept.values()].map((keeper) => keeper.stop()));
    },
  };
}
