// Starting an operation under the id its input stands for, or joining the one that runs.

import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { OperationName } from '../../activities/contract.ts';
import { canonical, covers, type InputOf } from '../../activities/lib/canonical.ts';
import type { RunHandle } from '../domain/client.ts';
import { taskQueues } from '../domain/ids.ts';
import type { RunStatus } from '../domain/operations.ts';
import { busyWith, isOfSeveralKinds } from './busy-with.ts';
import type { Connected } from './connection.ts';
import type { RunBook } from './run-book.ts';
import { firstRunId, outline, queryStatus } from './run-status.ts';
import { startAttributes } from './search-attributes.ts';
import { requireHostWorker, requireWorker } from './workers-present.ts';

/**
 * Throws `NO_WORKER` when nobody would take it: what is asked for now must not begin by surprise later. Throws `ALREADY_RUNNING` when the
 * component is busy with something else of the kind.
 */
export async function startOperation<Name extends OperationName>(
  connected: Connected,
  book: RunBook,
  operation: Name,
  input: InputOf[Name],
): Promise<RunHandle & { readonly started: boolean }> {
  const { client } = connected;
  const taskQueue = taskQueues.control(input.estate);
  // The log is to be shipped whenever a worker comes; everything else is wanted now or not at all.
  if (operation !== 'shipLog') {
    await requireWorker(connected, taskQueue, 'workflow');
    const { estate, host } = input;
    const queue = operation === 'mirrorFiles' && { queue: taskQueues.sync(estate, host) };
    await requireHostWorker(connected, { estate, host, ...queue });
  }
  const { workflowId, request } = canonical(operation, input);
  try {
    const handle = await client.workflow.start(operation, {
      taskQueue,
      workflowId,
      args: [input],
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: `${operation} of ${subjectOf(input)}`,
      typedSearchAttributes: startAttributes(operation, input),
    });
    return { ...book.note(operation, { workflowId, firstExecutionRunId: handle.firstExecutionRunId }), started: true };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return { ...(await join(connected, book, operation, workflowId, request)), started: false };
  }
}

const LOOKS = 10;
const LOOK_AGAIN_MS = 500;

async function whenItTells(ask: () => Promise<RunStatus | undefined>, looks: number): Promise<RunStatus | undefined> {
  for (let look = 1; ; look++) {
    const status = await ask();
    if (status?.data?.request !== undefined || look >= looks) return status;
    await sleep(LOOK_AGAIN_MS);
  }
}

function subjectOf(input: InputOf[OperationName]): string {
  if ('component' in input && input.component !== undefined) return input.component;
  return 'copy' in input && input.copy !== undefined ? input.copy : 'the vault';
}

async function join(
  connected: Connected,
  book: RunBook,
  operation: OperationName,
  workflowId: string,
  request: string,
): Promise<RunHandle> {
  const found = await book.require(workflowId);
  const { runId } = found;
  // One that may be asked for several things is not joined before it can say for which, which is its first step.
  const several = isOfSeveralKinds(operation);
  const status = await whenItTells(() => queryStatus(connected.client, workflowId, runId), several ? LOOKS : 1);
  const running = status?.data?.request;
  if (running === undefined ? several : !covers(String(running), request)) {
    throw busyWith(status ?? outline(found), request);
  }
  return book.note(operation, { workflowId, firstExecutionRunId: firstRunId(found) });
}
