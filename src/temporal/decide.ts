// A person's answer to a plan that waits, as an Update that says at once whether it counts.

import {
  ApplicationFailure,
  isGrpcServiceError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { type ApprovalUpdate, messages, type RunStatus } from '../domain/operations.ts';
import { fail } from '../errors/index.ts';
import type { Connected } from './connection.ts';
import type { RunBook } from './run-book.ts';
import { fromApplicationFailure } from './run-status.ts';

const answerWithinMs = 60_000;

/** Throws `PLAN_CHANGED`, `JOURNAL_STATE`, `NO_WORKER`. */
export async function decide(
  { client }: Connected,
  book: RunBook,
  answer: 'approve' | 'deny',
  run: string,
  update: ApprovalUpdate,
): Promise<RunStatus> {
  const { workflowId, runId } = await book.require(run);
  const handle = client.workflow.getHandle(workflowId, runId);
  try {
    return await client.withDeadline(Date.now() + answerWithinMs, () =>
      handle.executeUpdate<RunStatus, [ApprovalUpdate]>(messages[answer], { args: [update] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
      throw fromApplicationFailure(error.cause);
    }
    if (error instanceof WorkflowNotFoundError) fail('JOURNAL_STATE', `'${run}' has ended: no plan waits for approval`);
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcServiceError(error)) {
      fail('NO_WORKER', `no worker answered for '${run}'`, { hint: 'start `holdfast worker`, then answer again' });
    }
    throw error;
  }
}
