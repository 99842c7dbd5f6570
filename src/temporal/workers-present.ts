// Whether anybody listens: asked before something is started, so that nothing begins by surprise hours later, and before a worker says that it is ready.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Connection, ConnectionLike } from '@temporalio/client';
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

export interface ListenedQueue {
  readonly queue: string;
  readonly type: keyof typeof queueTypes;
}

/** Throws `NO_WORKER`, which names the queue nobody listens on. */
export async function requireWorker(reachable: Reachable, queue: string, type: keyof typeof queueTypes): Promise<void> {
  const pollers = await pollersOf(reachable, { queue, type });
  if (pollers.some(({ seenMs }) => Date.now() - seenMs < livelyMs)) return;
  fail('NO_WORKER', `no worker listens on '${queue}'`, { details: { queue } });
}

type Asked = Pick<Reachable, 'namespace'> & { readonly connection: ConnectionLike };

const pauseMs = 100;

/**
 * Resolves when the server has been asked for work by `identity` on every queue: a worker that has only just begun to ask is not known to it yet, and
 * whoever starts something then is told that nobody listens. Also resolves when `signal` is aborted. A server that does not answer is asked again.
 */
export async function untilListening(
  asked: Asked,
  identity: string,
  queues: readonly ListenedQueue[],
  signal: AbortSignal,
): Promise<void> {
  for (const each of queues) {
    while (!signal.aborted) {
      const pollers = await pollersOf(asked, each).catch(() => []);
      if (pollers.some((poller) => poller.identity === identity)) break;
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function pollersOf({ connection, namespace }: Asked, { queue, type }: ListenedQueue) {
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
