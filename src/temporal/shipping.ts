// Sees to it that the log of every database of this worker has its owner: the workflow `shipLog`.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/common';
import type { Logger } from 'pino';
import type { Configuration } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { taskQueues, workflowIds } from '../domain/ids.ts';
import type { ShipLogInput } from '../domain/operations.ts';
import { toHoldfastError } from '../errors/index.ts';
import { startAttributes } from './search-attributes.ts';

const tryAgainMs = 10_000;

/** Resolves when each is running or `signal` is aborted; never throws, because receivers ship the log without an owner too. */
export async function ensureShipping(
  client: Client,
  { name: estate, database }: Configuration,
  hosts: readonly string[],
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  let left = Object.values(database).filter(({ host }) => hosts.includes(host));
  while (left.length > 0 && !signal.aborted) {
    const failed: typeof left = [];
    for (const each of left) {
      const input: ShipLogInput = { estate, component: each.id, host: each.host, by: 'worker' };
      await startShipping(client, input).catch((error: unknown) => {
        failed.push(each);
        const { code, message } = toHoldfastError(error);
        logger.warn({ code, component: each.id }, `the owner of the log could not be started: ${message}`);
      });
    }
    left = failed;
    if (left.length > 0) await sleep(tryAgainMs, undefined, { signal }).catch(() => undefined);
  }
}

/** By the workflow's own id, since the server's list learns of a run later. */
export async function isShipping(client: Client, estate: string, component: ComponentId): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(workflowIds.ship(estate, component)).describe();
    return status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function startShipping(client: Client, input: ShipLogInput): Promise<void> {
  try {
    await client.workflow.start('shipLog', {
      taskQueue: taskQueues.control(input.estate),
      workflowId: workflowIds.ship(input.estate, input.component),
      args: [input],
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: `log of ${input.component}`,
      typedSearchAttributes: startAttributes('shipLog', input),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
