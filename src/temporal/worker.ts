// The worker process: receivers of the log first and always, then Temporal whenever it can be reached, until it is told to stop.

import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { makeTelemetryFilterString, NativeConnection, Runtime, type WorkflowBundleOption } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createConfigurationActivities } from '../../activities/configuration-activities.ts';
import { createEndActivities } from '../../activities/end-activities.ts';
import { createFilesActivities } from '../../activities/files-activities.ts';
import { createHostActivities } from '../../activities/host-activities.ts';
import type { ActivityFrame } from '../../activities/lib/activity-runner.ts';
import { createPostgresActivities } from '../../activities/postgres-activities.ts';
import { createRedisActivities } from '../../activities/redis-activities.ts';
import { createRunActivities } from '../../activities/run-activities.ts';
import { createVaultActivities } from '../../activities/vault-activities.ts';
import type { Configuration } from '../../config/index.ts';
import { fail, toHoldfastError } from '../errors/index.ts';
import { LogMemory } from '../postgres/receiver/index.ts';
import { runKeepers } from './aof-keepers.ts';
import { awaitRun } from './await-run.ts';
import { serverAddress, unreachable } from './connection.ts';
import { createHostServices, type OpenedHostServices } from './host-services.ts';
import { temporalLogger } from './logger.ts';
import { createReceivers, type RunningReceivers } from './receivers.ts';
import { registerSearchAttributes } from './search-attributes.ts';
import { ensureShipping } from './shipping.ts';
import { type Missing, untilListening } from './until-listening.ts';
import { createWorkerGroup, listenedQueues, runWorkerGroup } from './worker-group.ts';
import { newIdentity } from './worker-identity.ts';
import { workflowCode } from './workflow-code.ts';

export interface RunWorkerOptions {
  readonly configuration: Configuration;
  /** Names of the hosts whose work this process does; usually one. */
  readonly hosts: readonly string[];
  readonly logger: Logger;
  /** Aborted: activities end what they began, receivers flush, then it resolves. */
  readonly signal: AbortSignal;
  /** Aborted after that: it resolves at once and leaves the rest to the end of the process. */
  readonly force?: AbortSignal;
  /** Called when Temporal knows this worker on all its queues, also after an outage. */
  readonly onReady?: () => void;
}

const firstPauseMs = 1_000;
const longestPauseMs = 15_000;

/**
 * Runs until `signal` is aborted. Neither a Temporal server that is away nor a database or copy that does not answer ends it: it says
 * so and tries again. Throws `CONFIG_INVALID` for a profile or host that does not exist.
 */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { configuration, hosts, logger, signal } = options;
  for (const host of hosts) {
    if (configuration.hosts[host] === undefined) fail('CONFIG_INVALID', `no host '${host}' is configured`);
  }
  // A profile that cannot be read is found now, not in a loop that tries again for ever.
  serverAddress(configuration.temporal);
  installRuntime(logger);
  const over = new AbortController();
  const frame: ActivityFrame = { logger, shutdown: signal };
  const receivers: RunningReceivers[] = [];
  const memory = new LogMemory(Object.keys(configuration.vault.copies).length);
  const services = hosts.map((host) =>
    createHostServices({
      ...{ configuration, host, logger, frame },
      receivers: (vault) => {
        const made = createReceivers({
          ...{ configuration, host, vault, logger, memory },
          signal: AbortSignal.any([signal, over.signal]),
        });
        receivers.push(made);
        return made;
      },
    }),
  );
  const ended = serveTemporal(options, frame, services).finally(async () => {
    over.abort();
    await Promise.allSettled(receivers.map((each) => each.stop()));
    await Promise.allSettled(services.map((each) => each.close()));
  });
  await Promise.race([ended, aborted(options.force)]);
}

/** Temporal's own log goes into ours, and its handlers of signals stay out: stopping is this process's business. Once in a process. */
function installRuntime(logger: Logger): void {
  try {
    Runtime.install({
      logger: temporalLogger(logger),
      shutdownSignals: [],
      telemetryOptions: {
        logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }), forward: {} },
      },
    });
  } catch (error) {
    logger.debug({ reason: String(error) }, 'the runtime was installed already');
  }
}

async function aborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
}

async function serveTemporal(
  options: RunWorkerOptions,
  frame: ActivityFrame,
  services: readonly OpenedHostServices[],
): Promise<void> {
  const { logger, signal, configuration } = options;
  const { address } = serverAddress(configuration.temporal);
  const workflows = await workflowCode(temporalLogger(logger));
  for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const startedAt = Date.now();
    try {
      await serveOnce(options, frame, services, workflows);
      if (signal.aborted) return;
    } catch (error) {
      const { code, message, hint } = toHoldfastError(error);
      logger.warn({ code, hint, address }, `${message}; the log is shipped all the same, and it is tried again`);
    }
    if (Date.now() - startedAt > longestPauseMs) pauseMs = firstPauseMs;
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

async function serveOnce(
  { configuration, hosts, logger, signal, onReady }: RunWorkerOptions,
  frame: ActivityFrame,
  services: readonly OpenedHostServices[],
  workflows: WorkflowBundleOption,
): Promise<void> {
  const { options, address, namespace } = serverAddress(configuration.temporal);
  const connection = await NativeConnection.connect(options).catch((cause: unknown) => {
    throw unreachable(address, cause);
  });
  const over = new AbortController();
  try {
    const client = new Client({ connection, namespace });
    await registerSearchAttributes(connection, namespace);
    const [first] = services;
    if (first === undefined) fail('CONFIG_INVALID', 'a worker needs at least one host');
    const { vault } = first;
    const identity = newIdentity();
    const group = {
      estate: configuration.name,
      hosts: new Map(services.map((each) => [each.host, hostActivities(each)])),
    };
    const workers = await createWorkerGroup({
      ...{ ...group, connection, namespace, identity, workflows },
      control: createRunActivities({
        configuration,
        frame,
        vault,
        awaitRun: (request, running) => awaitRun(client, request, running),
      }),
      shipped: Object.keys(configuration.database).length,
      synced: Object.values(configuration.files).filter(({ mirror, pull }) => mirror ?? pull).length,
    });
    const running = runWorkerGroup(workers, signal);
    const keepers = runKeepers(configuration, hosts, { logger, signal });
    const stop = AbortSignal.any([signal, over.signal]);
    const known = { identity, queues: listenedQueues(group), signal: stop, onMissing: sayMissing(logger, address) };
    const listening = untilListening({ connection, namespace }, known).then(() => {
      if (stop.aborted) return;
      logger.info({ hosts, address, namespace }, 'the worker listens on its queues');
      onReady?.();
    });
    await Promise.all([running, keepers, listening, ensureShipping(client, configuration, hosts, logger, signal)]);
  } finally {
    over.abort();
    await connection.close();
  }
}

function sayMissing(logger: Logger, address: string): (missing: Missing) => void {
  return ({ queue, error }) => {
    const reason = error === undefined ? {} : { reason: String(error) };
    const what =
      error === undefined
        ? `the server does not know this worker on '${queue}'`
        : `whether the server knows this worker on '${queue}' cannot be asked`;
    logger.warn({ address, ...reason }, `${what}; it is not ready, and asks again`);
  };
}

function hostActivities(services: OpenedHostServices): object {
  return {
    ...createPostgresActivities(services),
    ...createRedisActivities(services),
    ...createFilesActivities(services),
    ...createConfigurationActivities(services),
    ...createEndActivities(services),
    ...createVaultActivities(services),
    ...createHostActivities(services),
  };
}
