// The workers of one process, on one connection: one for decisions, and one for each queue of a host so that no kind of work starves another.

import { type NativeConnection, Worker, type WorkerOptions, type WorkflowBundleOption } from '@temporalio/worker';
import { queuesOfHost, taskQueues } from '../domain/ids.ts';
import type { ListenedQueue } from './workers-present.ts';

export interface WorkerGroupOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  /** By which the server knows this process. */
  readonly identity: string;
  readonly estate: string;
  readonly workflows: WorkflowBundleOption;
  /** Activities of the estate's own queue. */
  readonly control: object;
  /** Activities by host. */
  readonly hosts: ReadonlyMap<string, object>;
  /** Databases of the busiest host: each holds a slot of the `ship` queue for good. */
  readonly shipped: number;
  /** Components that are mirrored, or pulled from elsewhere: none waits for the line of another. */
  readonly synced: number;
}

/** Cancellation travels with heartbeats; the SDK's default would hold it back for up to a minute. */
const maxHeartbeatThrottleInterval = '5s';
/** Time for activities to end what they began after a first signal. */
const shutdownGraceTime = '20s';

const common = {
  maxHeartbeatThrottleInterval,
  defaultHeartbeatThrottleInterval: '5s',
  shutdownGraceTime,
} as const satisfies Partial<WorkerOptions>;

/** Questions share the `ship` queue with the supervisions of the log. */
const questionSlots = 8;
const workSlots = 3;
const recoverSlots = 4;
/** A tree is read by all cores already; whoever asks more has to wait, and a recovery never does. */
const surveySlots = 2;
/** Beside those that are at it: for whoever looks whether somebody is, and leaves at once. */
const lookingSlots = 2;

export async function createWorkerGroup(options: WorkerGroupOptions): Promise<Worker[]> {
  const { connection, namespace, identity, estate, workflows, control, hosts, shipped, synced } = options;
  const shared = { ...common, connection, namespace, identity };
  const workers = [
    Worker.create({
      ...shared,
      taskQueue: taskQueues.control(estate),
      workflowBundle: workflows,
      activities: control,
      maxConcurrentActivityTaskExecutions: 20,
      maxConcurrentWorkflowTaskExecutions: 10,
      // An isolate costs half a megabyte and more; whoever is not cached is replayed from its short history.
      maxCachedWorkflows: 50,
      stickyQueueScheduleToStartTimeout: '5s',
    }),
  ];
  for (const [host, activities] of hosts) {
    const slots = {
      [taskQueues.ship(estate, host)]: shipped + questionSlots,
      [taskQueues.work(estate, host)]: workSlots,
      [taskQueues.sync(estate, host)]: synced + lookingSlots,
      [taskQueues.survey(estate, host)]: surveySlots,
      [taskQueues.recover(estate, host)]: recoverSlots,
    };
    for (const [taskQueue, maxConcurrentActivityTaskExecutions] of Object.entries(slots)) {
      workers.push(Worker.create({ ...shared, taskQueue, activities, maxConcurrentActivityTaskExecutions }));
    }
  }
  return await Promise.all(workers);
}

/** What the workers of such a group ask the server for. */
export function listenedQueues({
  estate,
  hosts,
}: Pick<WorkerGroupOptions, 'estate' | 'hosts'>): readonly ListenedQueue[] {
  const control = taskQueues.control(estate);
  const ofHosts = [...hosts.keys()].flatMap((host) => queuesOfHost(estate, host));
  return [
    { queue: control, type: 'workflow' },
    ...[control, ...ofHosts].map((queue) => ({ queue, type: 'activity' }) as const),
  ];
}

/** Runs all until `stop` is aborted (graceful) or one of them fails, which stops the others. Rejects with the first failure. */
export async function runWorkerGroup(workers: readonly Worker[], stop: AbortSignal): Promise<void> {
  const shutDown = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  stop.addEventListener('abort', shutDown, { once: true });
  try {
    const runs = workers.map((worker) => worker.run().finally(shutDown));
    if (stop.aborted) shutDown();
    const ends = await Promise.allSettled(runs);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } finally {
    stop.removeEventListener('abort', shutDown);
  }
}
