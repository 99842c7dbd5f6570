// Whether anybody listens: asked before something is started, so that nothing begins by surprise hours later.

import type { Client, Connection } from '@temporalio/client';
import { fail } from '../errors/index.ts';

/** `TASK_QUEUE_TYPE_*` of the server's API. */
const queueTypes = { workflow: 1, activity: 2 } as const;
/** A live worker asks again at least once a minute; the server remembers dead ones for five. */
const livelyMs = 150_000;

export interface Reachable {
  readonly client: Client;
  readonly connection: Connection;
  readonly namespace: string;
}

/** Throws `NO_WORKER`, which names the queue nobody listens on. */
export async function requireWorker(
  { connection, namespace }: Reachable,
  queue: string,
  type: keyof typeof queueTypes,
): Promise<void> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: queue },
    taskQueueType: queueTypes[type],
  });
  const seen = (pollers ?? []).map((poller) => Number(poller.lastAccessTime?.seconds ?? 0) * 1000);
  if (seen.some((ms) => Date.now() - ms < livelyMs)) return;
  fail('NO_WORKER', `no worker listens on '${queue}'`, { details: { queue } });
}
