// The status of one run, however much of it Temporal can tell: asked while it runs, read from its close when it has ended.

import {
  ApplicationFailure,
  type Client,
  isGrpcServiceError,
  QueryNotRegisteredError,
  ServiceError,
  type WorkflowExecutionDescription,
  WorkflowFailedError,
} from '@temporalio/client';
import { defaultPayloadConverter, TerminatedFailure, TimeoutFailure } from '@temporalio/common';
import type { ActivityProgress } from '../../activities/lib/activity-runner.ts';
import { componentInId, isOperation, runId } from '../domain/ids.ts';
import { messages, type Retry, type RunStatus, retryText } from '../domain/operations.ts';
import { type ErrorCode, HoldfastError, isErrorCode } from '../errors/index.ts';

/** A worker that is there answers at once; one that is busy replaying takes a while. */
const queryDeadlineMs = 10_000;

/** `undefined` when no worker answers. */
export async function queryStatus(
  client: Client,
  workflowId: string,
  run?: string,
  deadlineMs = queryDeadlineMs,
): Promise<RunStatus | undefined> {
  try {
    const handle = client.workflow.getHandle(workflowId, run);
    return await client.withDeadline(Date.now() + deadlineMs, () => handle.query<RunStatus>(messages.status));
  } catch (error) {
    if (error instanceof QueryNotRegisteredError || isNoAnswer(error)) return undefined;
    throw error;
  }
}

/** Deadline, cancelled by the deadline, nobody polls, or the first task was not done yet. */
function isNoAnswer(error: unknown): boolean {
  const grpc = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(grpc) && [1, 4, 9].includes(grpc.code);
}

/** The status a closed run ended with. */
export async function closedStatus(client: Client, description: WorkflowExecutionDescription): Promise<RunStatus> {
  const handle = client.workflow.getHandle(description.workflowId, description.runId);
  try {
    return (await handle.result()) as RunStatus;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const status =
      error.cause instanceof ApplicationFailure ? (error.cause.details?.[1] as RunStatus | undefined) : undefined;
    return status ?? abruptEnd(client, description, error.cause);
  }
}

/** Ended from outside: the workflow could neither undo nor say anything. */
async function abruptEnd(
  client: Client,
  description: WorkflowExecutionDescription,
  cause: unknown,
): Promise<RunStatus> {
  const asked = await queryStatus(client, description.workflowId, description.runId).catch(() => undefined);
  const error = abruptError(description.type, cause).toJSON();
  const ended = description.closeTime ?? new Date();
  return {
    ...(asked ?? outline(description)),
    data: { ...asked?.data, isAbrupt: true },
    state: 'failed',
    message: error.message,
    error,
    endedAt: ended.toISOString(),
  };
}

/** Terminated, or given up by the server: a person may have ended it by the journal since, which only the vault knows. */
export function endedAbruptly(status: RunStatus): boolean {
  return status.data?.isAbrupt === true;
}

function abruptError(type: string, cause: unknown): HoldfastError {
  const restoring = ['restoreDatabase', 'restoreFiles', 'restoreRedis', 'rollbackRestore'].includes(type);
  const hint = restoring
    ? 'the journal beside the data knows how far it was: on the host of the data, `holdfast resume RUN --standalone` goes on, `holdfast rollback RUN` goes back'
    : type === 'restorePart'
      ? '`holdfast stop RUN` ends and removes the server that it may have left; so does the next run of the kind'
      : 'start it again';
  if (cause instanceof TerminatedFailure)
    return new HoldfastError('CANCELLED', 'the run was terminated from outside, without undo', { hint });
  if (cause instanceof TimeoutFailure)
    return new HoldfastError('NO_WORKER', 'the run was given up: no worker took it in time');
  if (cause instanceof ApplicationFailure) return fromApplicationFailure(cause);
  return new HoldfastError('INTERNAL', cause instanceof Error ? cause.message : 'the run ended without saying why', {
    hint,
  });
}

/** The way back from a typed failure of a workflow, an activity or an update. */
export function fromApplicationFailure(failure: ApplicationFailure): HoldfastError {
  const [data] = (failure.details ?? []) as [{ hint?: string; details?: Record<string, unknown> }?];
  const code: ErrorCode = failure.type && isErrorCode(failure.type) ? failure.type : 'INTERNAL';
  return new HoldfastError(code, failure.message, {
    ...(data?.hint === undefined ? {} : { hint: data.hint }),
    ...(data?.details === undefined ? {} : { details: data.details }),
  });
}

/** What the list of runs says of one, when nothing more can be had. */
export function outline(
  description: Pick<
    WorkflowExecutionDescription,
    'type' | 'workflowId' | 'runId' | 'startTime' | 'typedSearchAttributes' | 'closeTime' | 'raw'
  >,
): RunStatus {
  const type = isOperation(description.type) ? description.type : 'backupDatabase';
  const attribute = (name: string) => attributeText(description, name);
  return {
    run: attribute('HoldfastRun') ?? runId(type, firstRunId(description)),
    workflowId: description.workflowId,
    operation: type,
    component: attribute('HoldfastComponent') ?? componentInId(description.workflowId) ?? 'unknown',
    state: 'running',
    steps: [],
    message: 'no worker answers; the run goes on when one does',
    startedAt: description.startTime.toISOString(),
  };
}

function attributeText(
  { typedSearchAttributes }: Pick<WorkflowExecutionDescription, 'typedSearchAttributes'>,
  name: string,
) {
  const pair = typedSearchAttributes.getAll().find(({ key }) => key.name === name);
  return pair === undefined ? undefined : String(pair.value);
}

/** Run id of the first run of the chain. */
export function firstRunId(info: { runId: string; raw: unknown }): string {
  const raw = info.raw as { firstRunId?: string; workflowExecutionInfo?: { firstRunId?: string } };
  return raw.workflowExecutionInfo?.firstRunId || raw.firstRunId || info.runId;
}

/** Adds to a running status what the activities' heartbeats and retries say. */
export function withPendingActivities(
  status: RunStatus,
  { raw }: { readonly raw: Pick<WorkflowExecutionDescription['raw'], 'pendingActivities'> },
): RunStatus {
  const pending = raw.pendingActivities ?? [];
  const notes = pending.flatMap((activity) => noteOf(activity) ?? []);
  if (notes.length === 0) return status;
  const retries = pending.flatMap((activity) => retryOf(activity) ?? []);
  const said = { note: notes.join('; '), ...(retries.length > 0 && { retries }) };
  return { ...status, steps: status.steps.map((step) => (step.state === 'running' ? { ...step, ...said } : step)) };
}

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

function noteOf(pending: PendingActivity): string | undefined {
  const [payload] = pending.heartbeatDetails?.payloads ?? [];
  const progress = payload ? (defaultPayloadConverter.fromPayload(payload) as ActivityProgress | undefined) : undefined;
  const retry = retryOf(pending);
  const words = [progress?.note, retry && retryText(retry)].filter((text) => text !== undefined);
  return words.length === 0 ? undefined : words.join('; ');
}

function retryOf({ attempt, lastFailure }: PendingActivity): Retry | undefined {
  if (attempt == null || attempt < 2 || !lastFailure?.message) return undefined;
  return { attempt, because: lastFailure.message };
}
