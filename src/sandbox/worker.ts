// The Holdfast worker of a sandbox: started like a user would, ready when it listens on its queues.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { Connection } from '@temporalio/client';
import { queuesOfHost, taskQueues } from '../domain/ids.ts';
import { fail } from '../errors/index.ts';
import type { RunningProcess } from '../process/index.ts';
import { sandboxEstate, sandboxHost } from './configuration.ts';
import { type ServerOptions, startServer } from './server.ts';

/** `temporal.api.enums.v1.TaskQueueType` */
const queueType = { workflow: 1, activity: 2 } as const;

export interface WorkerOptions extends Pick<ServerOptions, 'outlive' | 'env' | 'onSpawn'> {
  /** Path of holdfast.yaml. */
  readonly configuration: string;
  readonly logFile: string;
  /** Of the Temporal server that the configuration names. */
  readonly address: string;
  readonly estate?: string;
  readonly host?: string;
}

/** Starts `holdfast worker` and waits until Temporal sees it on the queues of the estate and of the host. Throws, with its log, when it ends before. */
export async function startWorker(options: WorkerOptions): Promise<RunningProcess> {
  const { configuration, address, estate = sandboxEstate, host = sandboxHost } = options;
  const sinceMs = Date.now();
  return startServer({
    ...options,
    name: 'the Holdfast worker',
    command: holdfastProgram(),
    args: ['worker', '-c', configuration],
    env: { HOLDFAST_LOG_LEVEL: 'info', ...options.env },
    probe: () => listensOn(address, { estate, host, sinceMs }),
  });
}

/** `bin/holdfast` of this package, from the sources or from a build. */
export function holdfastProgram(): string {
  let directory = import.meta.dirname;
  for (; directory !== path.dirname(directory); directory = path.dirname(directory)) {
    const program = path.join(directory, 'bin', 'holdfast');
    if (existsSync(program)) return program;
  }
  return fail('PROGRAM_MISSING', `no 'bin/holdfast' above '${import.meta.dirname}'`);
}

/** Somebody who has asked since then: a worker that is gone is known as listening for minutes. */
async function listensOn(
  address: string,
  { estate, host, sinceMs }: { readonly estate: string; readonly host: string; readonly sinceMs: number },
): Promise<void> {
  const queues = [
    [taskQueues.control(estate), queueType.workflow],
    ...queuesOfHost(estate, host).map((queue) => [queue, queueType.activity] as const),
  ] as const;
  const connection = await Connection.connect({ address, connectTimeout: 5_000 });
  try {
    for (const [name, taskQueueType] of queues) {
      const request = { namespace: 'default', taskQueue: { name }, taskQueueType };
      const { pollers } = await connection.workflowService.describeTaskQueue(request);
      if (!(pollers ?? []).some(({ lastAccessTime }) => millisecondsOf(lastAccessTime) >= sinceMs))
        throw new Error(`nobody listens on the queue '${name}'`);
    }
  } finally {
    await connection.close();
  }
}

function millisecondsOf(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1000 + (time?.nanos ?? 0) / 1e6;
}
