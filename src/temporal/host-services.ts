// The services of one host in a worker: made once, the vault opened by the first who needs it and again after a failure.

import type { Logger } from 'pino';
import type { ActivityFrame } from '../../activities/lib/activity-runner.ts';
import type { HostServices, Receivers } from '../../activities/lib/host-services.ts';
import type { Configuration } from '../../config/index.ts';
import type { HostService } from '../domain/client.ts';
import type { ComponentId } from '../domain/component.ts';
import type { LogReception } from '../domain/component-report.ts';
import { openConfiguredVault } from '../host/open-vault.ts';
import { openHostService } from '../host/service.ts';
import type { Vault } from '../vault/index.ts';

export interface HostServicesOptions {
  readonly configuration: Configuration;
  readonly host: string;
  readonly logger: Logger;
  readonly frame: ActivityFrame;
  readonly receivers: (vault: () => Promise<Vault>) => Receivers;
}

export interface OpenedHostServices extends HostServices {
  close(): Promise<void>;
}

export function createHostServices(options: HostServicesOptions): OpenedHostServices {
  const { configuration, host, frame } = options;
  const logger = options.logger.child({ host });
  const vault = sharedOnce(() => openConfiguredVault(configuration, { host, logger }));
  const hasOwnCredentials = Object.values(configuration.vault.copies).some(({ s3 }) => s3?.credentials !== undefined);
  const restoreVault = hasOwnCredentials
    ? sharedOnce(() => openConfiguredVault(configuration, { host, logger, purpose: 'restore' }))
    : vault;
  const receivers = options.receivers(vault);
  const reception = (component: ComponentId): LogReception => {
    const isOwn = Object.values(configuration.database).some((each) => each.id === component && each.host === host);
    if (!isOwn) return {};
    const { outage } = receivers.reception(component);
    const state = receivers.state(component);
    const { pressure: slot, idle } = state?.slot ?? {};
    const isSynchronous = Object.values(configuration.database).some(
      ({ id, log }) => id === component && log.synchronous,
    );
    const commits = isSynchronous && {
      state: state?.slot.syncState ?? ('unknown' as const),
      stalledSeconds: Math.round((state?.stalledMs ?? 0) / 1000),
    };
    return { ...(outage && { outage }), ...(slot && { slot }), ...(idle && { idle }), ...(commits && { commits }) };
  };
  const service = sharedOnce(
    async (): Promise<HostService> => openHostService(configuration, { host, logger, vault: await vault(), reception }),
  );
  return {
    host,
    configuration,
    logger,
    frame,
    vault: (purpose = 'backup') => (purpose === 'restore' ? restoreVault() : vault()),
    service,
    receivers,
    close: async () => {
      for (const each of new Set([vault, restoreVault])) {
        await each.opened()?.then(
          (value) => value.close(),
          () => undefined,
        );
      }
    },
  };
}

/** All who ask share one attempt; one that failed is forgotten, because a store that was away may be back. */
function sharedOnce<T>(open: () => Promise<T>): (() => Promise<T>) & { opened(): Promise<T> | undefined } {
  let current: Promise<T> | undefined;
  const ask = () => {
    if (current !== undefined) return current;
    const attempt = open();
    current = attempt;
    attempt.catch(() => {
      if (current === attempt) current = undefined;
    });
    return attempt;
  };
  return Object.assign(ask, { opened: () => current });
}
