// Waiting, inside an activity, for the end of a run that somebody else started.

import { ApplicationFailure, type Client, WorkflowFailedError } from '@temporalio/client';
import type { Running } from '../../activities/lib/activity-runner.ts';
import { covers } from '../../activities/lib/canonical.ts';
import type { RunStatus } from '../domain/operations.ts';
import { fail, HoldfastError } from '../errors/index.ts';
import { queryStatus } from './run-status.ts';

/** Fails as the other run failed, with its status in the details. Throws `ALREADY_RUNNING` when that one was asked for something else, or for less. */
export async function awaitRun(
  client: Client,
  { workflowId, request }: { workflowId: string; request: string },
  { signal, report }: Running,
): Promise<RunStatus> {
  const running = await queryStatus(client, workflowId);
  requireCovering(running, workflowId, request);
  report({ note: `joined ${running?.run ?? workflowId}` });
  try {
    const ended = await client.withAbortSignal(signal, () => client.workflow.getHandle(workflowId).result());
    // One that had only just begun could not say before what it was asked for.
    requireCovering(ended, workflowId, request);
    return ended;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    if (!(error.cause instanceof ApplicationFailure)) fail('CANCELLED', `'${workflowId}' was ended from outside`);
    const { type, message, details } = error.cause;
    throw ApplicationFailure.create({ type: type ?? 'INTERNAL', message, nonRetryable: true, details: details ?? [] });
  }
}

function requireCovering(status: RunStatus | undefined, workflowId: string, request: string): void {
  const asked = status?.data?.request;
  if (status === undefined || asked === undefined || covers(String(asked), request)) return;
  throw busy(`'${workflowId}' is running and was asked for something else: ${String(asked)}`, status.run);
}

/** The code says that trying again may help; this activity would try until the other run ends, which is not what was asked for. */
function busy(message: string, run: string): ApplicationFailure {
  const hint = `\`holdfast show ${run}\`; \`holdfast cancel ${run}\` stops and undoes it`;
  const error = new HoldfastError('ALREADY_RUNNING', message, { hint });
  return ApplicationFailure.create({ type: error.code, message, nonRetryable: true, details: [error.toJSON()] });
}
