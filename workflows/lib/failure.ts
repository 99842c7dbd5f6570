// The two ways between Temporal's failures and the catalogue: what a thrown value means, and how a run closes with a code.

import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  isCancellation,
  TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { RunStatus } from '../../src/domain/operations.ts';
import { catalogue, type ErrorCode, type ErrorData, HoldfastError, isErrorCode } from '../../src/errors/index.ts';

/** What any value thrown inside a workflow says to a person. */
export function errorData(thrown: unknown): ErrorData {
  if (thrown instanceof HoldfastError) return thrown.toJSON();
  if (isCancellation(thrown)) return make('CANCELLED', 'the run was cancelled');
  if (thrown instanceof ApplicationFailure) return fromApplicationFailure(thrown);
  if (thrown instanceof TimeoutFailure) return fromTimeout(thrown, undefined);
  if (thrown instanceof ActivityFailure) {
    if (thrown.cause instanceof TimeoutFailure) return fromTimeout(thrown.cause, thrown.activityType);
    return errorData(thrown.cause ?? thrown.message);
  }
  if (thrown instanceof ChildWorkflowFailure) return errorData(thrown.cause ?? thrown.message);
  if (thrown instanceof TerminatedFailure) return make('INTERNAL', 'the run was terminated from outside');
  return make('INTERNAL', thrown instanceof Error ? thrown.message : String(thrown));
}

function make(code: ErrorCode, message: string, hint: string = catalogue[code].hint): ErrorData {
  return { code, message, hint };
}

function fromApplicationFailure(failure: ApplicationFailure): ErrorData {
  const [data] = (failure.details ?? []) as [Partial<ErrorData>?];
  if (data?.code !== undefined && isErrorCode(data.code) && typeof data.message === 'string') {
    return { ...data, code: data.code, message: data.message, hint: data.hint ?? catalogue[data.code].hint };
  }
  const code = failure.type && isErrorCode(failure.type) ? failure.type : 'INTERNAL';
  return make(code, failure.message);
}

function fromTimeout(timeout: TimeoutFailure, activity: string | undefined): ErrorData {
  const what = activity === undefined ? 'the run' : `'${activity}'`;
  switch (timeout.timeoutType) {
    case 'SCHEDULE_TO_START':
      return make('NO_WORKER', `no worker took ${what} in time`);
    case 'HEARTBEAT':
      return make('NO_WORKER', `the worker that ran ${what} stopped answering`);
    default:
      return make('PROCESS_TIMEOUT', `${what} took longer than it may`);
  }
}

/** True when the reason is that nobody listens on the queue: nothing was started, so asking again is safe. */
export function isNotStarted(thrown: unknown): boolean {
  return (
    thrown instanceof ActivityFailure &&
    thrown.cause instanceof TimeoutFailure &&
    thrown.cause.timeoutType === 'SCHEDULE_TO_START'
  );
}

/** The failure a run closes with: type = code, and the whole status so that the reason can be read without a query. */
export function closingFailure(status: RunStatus & { readonly error: ErrorData }): ApplicationFailure {
  return ApplicationFailure.create({
    type: status.error.code,
    message: status.error.message,
    nonRetryable: true,
    details: [status.error, status],
  });
}

/** The closing failure of a run that was joined, as the joiner's own. */
export function sameFailure(thrown: unknown): unknown {
  const cause = thrown instanceof ChildWorkflowFailure || thrown instanceof ActivityFailure ? thrown.cause : undefined;
  if (!(cause instanceof ApplicationFailure)) return thrown;
  return ApplicationFailure.create({
    type: cause.type ?? 'INTERNAL',
    message: cause.message,
    nonRetryable: true,
    details: cause.details ?? [],
  });
}

export function isTemporalFailure(thrown: unknown): thrown is TemporalFailure {
  return thrown instanceof TemporalFailure;
}
