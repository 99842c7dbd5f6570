// The frame of every activity: heartbeats from a timer, one signal for every reason to stop, a ceiling, and errors mapped once.

import { CancelledFailure, Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { Logger } from 'pino';
import { type HoldfastError, toHoldfastError } from '../../src/errors/index.ts';
import { withoutCredentials } from './credentials.ts';

/** What a heartbeat says: a note in words, and small numbers. Never a secret. */
export interface ActivityProgress {
  readonly note: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface Running {
  /** Aborted when the run is cancelled, the worker shuts down, or the ceiling is reached. */
  readonly signal: AbortSignal;
  /** Cheap: only the latest is sent, with the next heartbeat. */
  readonly report: (progress: ActivityProgress) => void;
  /** What the latest heartbeat of an earlier attempt said, if any. */
  readonly before: ActivityProgress | undefined;
  readonly logger: Logger;
}

export interface ActivityFrame {
  readonly logger: Logger;
  /** Aborted as soon as the worker is asked to stop; the SDK itself tells an activity only after the grace period. */
  readonly shutdown: AbortSignal;
  /** Default 5,000. */
  readonly heartbeatEveryMs?: number;
}

/** A little before the server gives up on the attempt, so that the reason is ours and what was begun is ended. */
const ceilingMarginMs = 5_000;

class CeilingReached extends Error {}

/** Runs `work` as the current activity. Throws only failures of Temporal's, with a code of the catalogue as type. */
export async function runActivity<T>(frame: ActivityFrame, work: (running: Running) => Promise<T>): Promise<T> {
  const context = Context.current();
  const { activityType, attempt, workflowExecution, startToCloseTimeoutMs, heartbeatDetails } = context.info;
  const logger = frame.logger.child({ activity: activityType, attempt, workflowId: workflowExecution?.workflowId });
  const ceiling = new AbortController();
  const signal = AbortSignal.any([context.cancellationSignal, frame.shutdown, ceiling.signal]);
  let latest: ActivityProgress | undefined;
  const beat = setInterval(() => context.heartbeat(latest), frame.heartbeatEveryMs ?? 5_000);
  const limit = setTimeout(() => ceiling.abort(new CeilingReached()), startToCloseTimeoutMs - ceilingMarginMs);
  const report = (progress: ActivityProgress) => {
    latest = progress;
  };
  try {
    context.heartbeat(latest);
    signal.throwIfAborted();
    return await work({ signal, report, before: heartbeatDetails as ActivityProgress | undefined, logger });
  } catch (error) {
    throw asFailure(error, { frame, logger, ceiling: ceiling.signal, cancelled: context.cancellationSignal.aborted });
  } finally {
    clearInterval(beat);
    clearTimeout(limit);
  }
}

interface Circumstances {
  readonly frame: ActivityFrame;
  readonly logger: Logger;
  readonly ceiling: AbortSignal;
  readonly cancelled: boolean;
}

function asFailure(error: unknown, { frame, logger, ceiling, cancelled }: Circumstances): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  const data = toHoldfastError(error);
  if (frame.shutdown.aborted) return retryElsewhere('NO_WORKER', 'the worker is shutting down');
  if (cancelled) return new CancelledFailure('the run was cancelled');
  if (ceiling.aborted) return retryElsewhere('PROCESS_TIMEOUT', 'the step took longer than one attempt may');
  logger.warn({ code: data.code, hint: data.hint }, withoutCredentials(data.message));
  if (data.code === 'INTERNAL') logger.error({ stack: withoutCredentials(stackOf(error)) }, 'unforeseen error');
  return toApplicationFailure(data);
}

function retryElsewhere(type: 'NO_WORKER' | 'PROCESS_TIMEOUT', message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, category: ApplicationFailureCategory.BENIGN });
}

/** The one place where an error of ours becomes one of Temporal's. The cause stays in the log: it may say too much. */
export function toApplicationFailure(error: HoldfastError): ApplicationFailure {
  const message = withoutCredentials(error.message);
  return ApplicationFailure.create({
    type: error.code,
    message,
    nonRetryable: !error.retryable,
    details: [{ ...error.toJSON(), message, hint: withoutCredentials(error.hint) }],
  });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
