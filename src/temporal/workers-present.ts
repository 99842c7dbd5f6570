// Whether anybody listens: asked before something is started, so that nothing begins by surprise hours later.

import type { Client, Connection, ConnectionLike } from '@temporalio/client';
import { queuesOfHost, taskQueues } from '../domain/ids.ts';
import { fail } from '../errors/index.ts';
import { knowsAllQueues } from './worker-identity.ts';

/** `TASK_QUEUE_TYPE_*` of the server's API. */
const queueTypes = { workflow: 1, activity: 2 } as const;
/** A live worker asks again at least once a minute; the server remembers dead ones for five. */
const livelyMs = 150_000;

export interface Reachable {
  readonly client: Client;
  readonly connection: Connection;
  readonly namespace: string;
}

export interface ListenedQueue {
  readonly queue: string;
  readonly type: keyof typeof queueTypes;
}

/** Throws `NO_WORKER`, which names the queue nobody listens on. `heardWithinMs`: default two and a half minutes. */
export async function requireWorker(
  reachable: Reachable,
  queue: string,
  type: keyof typeof queueTypes,
  heardWithinMs?: number,
): Promise<void> {
  if (await isListenedOn(reachable, { queue, type }, heardWithinMs)) return;
  fail('NO_WORKER', `no worker listens on '${queue}'`, { details: { queue } });
}

/**
 * For activities of a host, on `queue` too. Whoever knows all queues and is heard of on any of them is there: on one of which all his places are taken he
 * asks for nothing. Throws `NO_WORKER`, also for a worker of a version that does not know the queue: it would leave it unserved without a word.
 */
export async function requireHostWorker(
  reachable: Reachable,
  { estate, host, queue }: { readonly estate: string; readonly host: string; readonly queue?: string },
  heardWithinMs?: number,
): Promise<void> {
  const ship = taskQueues.ship(estate, host);
  const on = (asked: string) => isListenedOn(reachable, { queue: asked, type: 'activity' }, heardWithinMs);
  const isThere = await on(ship);
  if (isThere && (queue === undefined || (await on(queue)))) return;
  const asking = queuesOfHost(estate, host).map((each) =>
    livelyOn(reachable, { queue: each, type: 'activity' }, heardWithinMs),
  );
  if ((await Promise.all(asking)).flat().some(({ identity }) => knowsAllQueues(identity))) return;
  if (!isThere) fail('NO_WORKER', `no worker listens on '${ship}'`, { details: { queue: ship } });
  fail('NO_WORKER', `the worker of host '${host}' does not listen on '${queue}'`, {
    hint: 'it is of an earlier version: start it again with this one',
    details: { queue },
  });
}

async function isListenedOn(reachable: Reachable, asked: ListenedQueue, heardWithinMs?: number): Promise<boolean> {
  return (await livelyOn(reachable, asked, heardWithinMs)).length > 0;
}

async function livelyOn(reachable: Reachable, asked: ListenedQueue, heardWithinMs = livelyMs) {
  return (await pollersOf(reachable, asked)).filter(({ seenMs }) => Date.now() - seenMs < heardWithinMs);
}

export type Asked = Pick<Reachable, 'namespace'> & { readonly connection: ConnectionLike };

/** Whoever has asked the server for work from it, in the last five minutes. */
export async function pollersOf({ connection, namespace }: Asked, { queue, type }: ListenedQueue) {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: queue },
    taskQueueType: queueTypes[type],
  });
  return (pollers ?? []).map(({ identity, lastAccessTime }) => ({
    identity,
    seenMs: Number(lastAccessTime?.seconds ?? 0) * 1000,
  }));
}
