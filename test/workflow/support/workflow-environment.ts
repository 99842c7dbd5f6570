// A real Temporal server and real workers with scripted activities, for control flow that real components cannot be made to hit on time.

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, type WorkflowBundleOption } from '@temporalio/worker';
import { taskQueues } from '../../../src/domain/ids.ts';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { registerSearchAttributes } from '../../../src/temporal/search-attributes.ts';
import { untilListening } from '../../../src/temporal/until-listening.ts';
import { createWorkerGroup, listenedQueues, runWorkerGroup } from '../../../src/temporal/worker-group.ts';
import { workflowCode } from '../../../src/temporal/workflow-code.ts';

const cachedComponents = '/var/cache/holdfast/components.json';

export interface Shared {
  env: TestWorkflowEnvironment;
  bundle: WorkflowBundleOption;
}

/** Registers hooks of the test file: one server and one bundle for all its tests. */
export function sharedEnvironment(): Shared {
  const shared = {} as Shared;
  before(async () => {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    shared.env = await connect();
    await registerSearchAttributes(shared.env.connection as never, 'default');
    shared.bundle = await workflowCode(new DefaultLogger('ERROR'));
  });
  after(() => shared.env?.teardown());
  return shared;
}

async function connect(): Promise<TestWorkflowEnvironment> {
  const address = process.env.HOLDFAST_TEST_TEMPORAL;
  if (address !== undefined) return TestWorkflowEnvironment.createFromExistingServer({ address });
  const { temporal } = JSON.parse(await readFile(cachedComponents, 'utf8')) as { temporal: { path: string } };
  return TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path: temporal.path } },
  });
}

export interface Estate {
  readonly name: string;
  /** Starts a workflow under any id, as the `temporal` command would. */
  start(type: string, workflowId: string, input: object): Promise<WorkflowHandle>;
  status(handle: WorkflowHandle): Promise<RunStatus>;
  stop(): Promise<void>;
}

/** An estate of its own, with one host `db1`, whose every activity is in `activities`. */
export async function startEstate({ env, bundle }: Shared, activities: object): Promise<Estate> {
  const name = `t${randomUUID().slice(0, 8)}`;
  const hosts = new Map([['db1', activities]]);
  const workers = await createWorkerGroup({
    connection: env.nativeConnection,
    namespace: 'default',
    identity: name,
    estate: name,
    workflows: bundle,
    control: activities,
    hosts,
    ...{ shipped: 1, synced: 1 },
  });
  const stop = new AbortController();
  const ended = runWorkerGroup(workers, stop.signal);
  const asked = { connection: env.nativeConnection, namespace: 'default' };
  const queues = listenedQueues({ estate: name, hosts });
  await untilListening(asked, { identity: name, queues, signal: stop.signal });
  return {
    name,
    start: (type, workflowId, input) =>
      env.client.workflow.start(type, { taskQueue: taskQueues.control(name), workflowId, args: [input] }),
    status: (handle) => handle.query<RunStatus>('status'),
    stop: async () => {
      stop.abort();
      await ended;
    },
  };
}
