// What the activities of one host share: its configuration, the vault opened once, its databases, and the receivers of their log.

import type { Logger } from 'pino';
import type {
  ComponentSettings,
  Configuration,
  DatabaseSettings,
  FilesSettings,
  HostConfigurationSettings,
  RedisSettings,
} from '../../config/index.ts';
import { componentOf, resolveSecret } from '../../config/index.ts';
import type { HostService } from '../../src/domain/client.ts';
import type { ComponentId } from '../../src/domain/component.ts';
import type { LogOutage } from '../../src/domain/component-report.ts';
import type { Lsn } from '../../src/domain/lsn.ts';
import { fail } from '../../src/errors/index.ts';
import type { ReceiverState, Source } from '../../src/postgres/types.ts';
import type { Vault } from '../../src/vault/types.ts';
import type { EnsuredLog } from '../contract.ts';
import type { ActivityFrame } from './activity-runner.ts';

/** The receivers of this host's databases; they belong to the worker process and need no Temporal. */
export interface Receivers {
  /** Slot and receiver are there when it resolves. Throws why they cannot be. */
  ensure(component: ComponentId, signal?: AbortSignal): Promise<EnsuredLog>;
  /** `undefined` while it has not been started. */
  state(component: ComponentId): ReceiverState | undefined;
  /** Times the slot was lost since the worker started; `id` and hole are of the last time, also one that an earlier worker recorded. */
  losses(component: ComponentId): {
    readonly count: number;
    readonly id?: string;
    readonly hole?: { readonly from?: string; readonly to?: string };
  };
  /** `outage`: the log is not received, and somebody must know. `steady`: it has come for long enough to rely on it. */
  reception(component: ComponentId): { readonly steady: boolean; readonly outage?: LogOutage };
  /**
   * Resolves when the log from `from` to `to` is durable on that copy. Throws why the copy is left behind, `LOG_HOLE`, `SLOT_BUSY` when
   * somebody else reads the slot and brings nothing, and why the receiver failed where somebody must decide what happens; waits through
   * everything else.
   */
  waitForLog(component: ComponentId, copy: string, timeline: number, from: Lsn, to: Lsn, wait: LogWait): Promise<void>;
  /** Resolves when everything up to `to` is durable by the policy; for the last log of a server that was stopped. */
  drain(component: ComponentId, timeline: number, to: Lsn, signal: AbortSignal): Promise<void>;
  /** Stops receiving while data directories are swapped; `resume` goes on with whatever server is there then. */
  pause(component: ComponentId): Promise<void>;
  resume(component: ComponentId): Promise<void>;
}

export interface LogWait {
  readonly signal: AbortSignal;
  /** Whether the copy can be left behind when it does not move; asked again and again. Default never. */
  readonly mayLeave?: () => boolean;
  /** Told now and then, in words, what is waited for. */
  readonly onWaiting?: (words: string) => void;
}

export interface HostServices {
  readonly host: string;
  readonly configuration: Configuration;
  readonly logger: Logger;
  readonly frame: ActivityFrame;
  /** Opened by the first who asks; after a failure the next one tries again. A restore reads with its own credentials, where there are such. */
  vault(purpose?: 'backup' | 'restore'): Promise<Vault>;
  readonly receivers: Receivers;
  /** Answers to questions; opened like the vault. */
  service(): Promise<HostService>;
}

type Here = Pick<HostServices, 'configuration' | 'host'>;

/** Throws `UNKNOWN_COMPONENT`, also for a component of another host or kind. */
function ownComponent<Kind extends ComponentSettings['kind']>(
  { configuration, host }: Here,
  component: ComponentId,
  kind: Kind,
): Extract<ComponentSettings, { kind: Kind }> {
  const settings = componentOf(configuration, component);
  if (settings.host !== host) {
    fail('UNKNOWN_COMPONENT', `'${component}' is on host '${settings.host}', this worker works for '${host}'`);
  }
  if (settings.kind !== kind) fail('UNKNOWN_COMPONENT', `'${component}' is not of the kind '${kind}'`);
  return settings as Extract<ComponentSettings, { kind: Kind }>;
}

/** Throws as `ownComponent`. */
export function databaseOf(services: Here, component: ComponentId): DatabaseSettings {
  return ownComponent(services, component, 'database');
}

/** Throws as `ownComponent`. */
export function redisOf(services: Here, component: ComponentId): RedisSettings {
  return ownComponent(services, component, 'redis');
}

/** Throws as `ownComponent`. */
export function filesOf(services: Here, component: ComponentId): FilesSettings {
  return ownComponent(services, component, 'files');
}

/** Throws as `ownComponent`. */
export function hostConfigurationOf(services: Here, component: ComponentId): HostConfigurationSettings {
  return ownComponent(services, component, 'configuration');
}

/** The url holds a password: it goes nowhere but into the engine. Throws `SECRET_UNRESOLVED`. */
export async function sourceOf(services: HostServices, component: ComponentId): Promise<Source> {
  const { url } = databaseOf(services, component);
  return { component, url: await resolveSecret(url) };
}
