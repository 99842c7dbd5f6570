// One process for one thing: a run under another id than the one its input stands for starts that one as its child, or joins it.

import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowCancellationType, ParentClosePolicy, startChild } from '@temporalio/workflow';
import type { OperationName, ResolvedOperation } from '../../activities/contract.ts';
import type { RunStatus } from '../../src/domain/operations.ts';
import { sameFailure } from './failure.ts';
import type { Progress } from './progress.ts';
import { patientControlCalls } from './proxies.ts';

/**
 * Resolves with the status of the canonical run, or fails as it fails. Cancelling the joiner cancels the child it started, and
 * waits for it; a run somebody else started goes on.
 */
export async function joinCanonical<Input>(
  progress: Progress,
  operation: OperationName,
  resolved: ResolvedOperation<Input>,
): Promise<RunStatus> {
  const { workflowId, request, input } = resolved;
  progress.tell({ joined: workflowId });
  try {
    return await progress.step(`runs as ${workflowId}`, async () => {
      const child = await startCanonical(operation, workflowId, input);
      if (child !== undefined) return await child.result();
      return await patientControlCalls(progress.estate, progress.noteRunning).awaitRun(
        { workflowId, request },
        `joins ${workflowId}`,
      );
    });
  } catch (error) {
    throw sameFailure(error);
  }
}

type StatusWorkflow = (input: unknown) => Promise<RunStatus>;

async function startCanonical(operation: OperationName, workflowId: string, input: unknown) {
  try {
    return await startChild<StatusWorkflow>(operation, {
      workflowId,
      args: [input],
      // The recovery outlives whoever asked for it: a schedule's run or a person's may be terminated.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}

/** Starts a run that goes on by itself; `false` when it was running already. */
export async function startBeside(operation: OperationName, workflowId: string, input: unknown): Promise<boolean> {
  return (await startCanonical(operation, workflowId, input)) !== undefined;
}
