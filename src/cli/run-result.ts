// From the status of a run to the result of the command that started or asked for it, with the exit status that it means.

import type { RunHandle } from '../domain/client.ts';
import type { RunStatus } from '../domain/operations.ts';
import type { RunData } from '../domain/run-data.ts';
import type { RunState } from '../domain/states.ts';
import { exitCodes, fromErrorData } from '../errors/index.ts';
import { type Outcome, outcome, type Result, type RunSummary } from './result.ts';

export function runSummary(status: RunStatus, handle?: RunHandle): RunSummary {
  return {
    id: status.run,
    workflowId: status.workflowId,
    ...(handle?.url === undefined ? {} : { url: handle.url }),
    operation: status.operation,
    component: status.component,
    state: status.state,
    message: status.message,
    startedAt: status.startedAt,
    ...(status.endedAt === undefined ? {} : { endedAt: status.endedAt }),
    ...(status.by === undefined ? {} : { by: status.by }),
  };
}

export function runResult(status: RunStatus, handle?: RunHandle): Result {
  const data = (status.data ?? {}) as RunData;
  const {
    snapshot,
    point,
    push,
    restore,
    redisPlan,
    redisRestored,
    filesPlan,
    filesRestored,
    load,
    loadPlan,
    part,
    partPlan,
    plan,
    copy,
    progress,
    held,
    sweep,
    mark,
    integrity,
    warnings = restore?.warnings ?? part?.warnings,
  } = data;
  return {
    state: status.state,
    ...(status.error === undefined ? {} : { error: status.error }),
    message: status.message,
    run: runSummary(status, handle),
    steps: status.steps,
    ...(plan === undefined ? {} : { plan }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(point === undefined ? {} : { point }),
    ...(push === undefined ? {} : { push }),
    ...(restore === undefined ? {} : { restore }),
    ...(redisPlan === undefined ? {} : { redisPlan }),
    ...(redisRestored === undefined ? {} : { redisRestored }),
    ...(filesPlan === undefined ? {} : { filesPlan }),
    ...(filesRestored === undefined ? {} : { filesRestored }),
    ...(load === undefined ? {} : { load }),
    ...(loadPlan === undefined ? {} : { loadPlan }),
    ...(part === undefined ? {} : { part }),
    ...(partPlan === undefined ? {} : { partPlan }),
    ...(copy === undefined ? {} : { copy }),
    ...(progress === undefined ? {} : { progress }),
    ...(held === undefined ? {} : { held }),
    ...(sweep === undefined ? {} : { sweep }),
    ...(mark === undefined ? {} : { mark }),
    ...(integrity === undefined ? {} : { integrity }),
    ...(warnings === undefined ? {} : { warnings }),
  };
}

/** The outcome of a command that waited for the run, or left it running. */
export function runOutcome(status: RunStatus, handle?: RunHandle): Outcome {
  return outcome('run', runResult(status, handle), exitOf(status));
}

/** A refusal keeps the error's own exit status, so that a target nobody understands is wrong use, wherever it was found. */
function exitOf(status: RunStatus): number {
  const byState: Readonly<Partial<Record<RunState, number>>> = {
    completed: exitCodes.done,
    running: exitCodes.done,
    waiting: exitCodes.done,
    'rolled back': exitCodes.rolledBack,
    stuck: exitCodes.stuck,
  };
  const fixed = byState[status.state];
  if (fixed !== undefined) return fixed;
  const ownExit = status.error && fromErrorData(status.error).exit;
  if (status.state === 'refused') return ownExit === exitCodes.usage ? exitCodes.usage : exitCodes.refused;
  return ownExit === exitCodes.found ? exitCodes.found : exitCodes.failed;
}
