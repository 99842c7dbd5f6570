// Waiting, inside an activity, for the end of a run that somebody else started.

import { ApplicationFailure, type Client, WorkflowFailedError } from '@temporalio/client';
import type { Running } from '../../activities/lib/activity-runner.ts';
import { covers } from '../../activities/lib/canonical.ts';
import type { RunStatus } from '../domain/operations.ts';
import { fail } from '../errors/index.ts';
import { busyWith } from './busy-with.ts';
import { queryStatus } from './run-status.ts';

/** Fails as the other run failed, with its status in the details. Throws `ALREADY_RUNNING` when that one was asked for something else, or for less. */
export async function awaitRun(
  client: Client,
  { workflowId, request }: { workflowId: string; request: string },
  { signal, report }: Running,
): Promise<RunStatus> {
  const running = await queryStatus(client, workflowId);
  requireCovering(running, request);
  report({ note: `joined ${running?.run ?? workflowId}` });
  try {
    const ended = await client.withAbortSignal(signal, () => client.workflow.getHandle(workflowId).result());
    // One that had only just begun could not say before what it was asked for.
    requireCovering(ended, request);
    return ended;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    if (!(error.cause instanceof ApplicationFailure)) fail('CANCELLED', `'${workflowId}' was ended from outside`);
    const { type, message, details } = error.cause;
    throw ApplicationFailure.create({ type: type ?? 'INTERNAL', message, nonRetryable: true, details: details ?? [] });
  }
}

function requireCovering(status: RunStatus | undefined, request: string): void {
  const asked = status?.data?.request;
  if (status === undefined || asked === undefined || covers(String(asked), request)) return;
  // The code says that trying again may help; this activity would try until the other run ends, which is not what was asked for.
  const error = busyWith(status, request);
  const { code, message } = error;
  throw ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [error.toJSON()] });
}
