// A question to one host, as a small workflow that ends soon one way or the other.

import { ApplicationFailure, WorkflowFailedError } from '@temporalio/client';
import type { Configuration } from '../../config/index.ts';
import { taskQueues } from '../domain/ids.ts';
import { fail } from '../errors/index.ts';
import type { Connected } from './connection.ts';
import { fromApplicationFailure } from './run-status.ts';
import { requireWorker } from './workers-present.ts';

export interface Questioner extends Connected {
  readonly configuration: Configuration;
  readonly newId: () => string;
}

/** A plan reads log, a check waits for a segment on every copy; the others are quick. */
const limits: Readonly<Record<string, string>> = {
  planRestore: '30 minutes',
  checkComponent: '10 minutes',
  planRedis: '5 minutes',
  // Shorter than in a restore, which needs no question first (`--yes`): it goes on when whoever asked is gone, in the way of a restore.
  planFiles: '4 hours',
  findFiles: '30 minutes',
  diffFiles: '30 minutes',
  diffConfiguration: '30 minutes',
  stopRecovered: '5 minutes',
  // Whoever asks can often read the vault by himself when nobody answers, and waits in silence until then.
  describeEstate: '1 minute',
};

/** Throws what the host threw, or `NO_WORKER`. */
export async function askHosts<T>(questions: Questioner, type: string, host: string, input: object): Promise<T> {
  const { client, configuration, newId } = questions;
  const taskQueue = taskQueues.control(configuration.name);
  const hostQueue = taskQueues.ship(configuration.name, host);
  await requireWorker(questions, taskQueue, 'workflow');
  await requireWorker(questions, hostQueue, 'activity');
  try {
    return await client.workflow.execute(type, {
      taskQueue,
      workflowId: newId(),
      args: [input],
      workflowRunTimeout: limits[type] as '3 minutes',
      staticSummary: `a question to ${host}`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    if (error.cause instanceof ApplicationFailure) throw fromApplicationFailure(error.cause);
    return fail('NO_WORKER', `host '${host}' did not answer in time`, { details: { queue: hostQueue } });
  }
}
