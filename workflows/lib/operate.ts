// The frame of every operation: input resolved from the worker's configuration, joined or conducted, closed in a named state.

import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { OperationName, ResolvedOperation } from '../../activities/contract.ts';
import type { RunStatus } from '../../src/domain/operations.ts';
import { conduct } from './ending.ts';
import { joinCanonical } from './join.ts';
import type { Progress } from './progress.ts';
import { controlCalls, type HostCalls, hostCalls } from './proxies.ts';
import { Saga } from './saga.ts';

export interface Conduct<Input> {
  readonly input: Input;
  readonly progress: Progress;
  readonly saga: Saga;
  readonly host: HostCalls;
}

interface Hosted {
  readonly estate: string;
  readonly host: string;
}

interface OperateOptions {
  /** Older undos need the newer ones to have worked (see `Saga.unwind`). */
  readonly stopUndoAtFailure?: boolean;
  /** Whether how the run ended is kept in the vault; default: always. */
  readonly keepsRecord?: (status: RunStatus) => boolean;
}

/** `body` is the runbook; it returns how the run ended, in words. */
export async function operate<Input extends Hosted>(
  operation: OperationName,
  progress: Progress,
  given: Input,
  body: (conduct: Conduct<Input>) => Promise<string>,
  options: OperateOptions = {},
): Promise<RunStatus> {
  const saga = new Saga();
  let conducted = false;
  const { stopUndoAtFailure = false, keepsRecord = () => true } = options;
  const ending = { stopUndoAtFailure, keepsRecord: () => conducted && keepsRecord(progress.status()) };
  let joined: RunStatus | undefined;
  const status = await conduct(progress, saga, ending, async () => {
    const control = controlCalls(progress.estate, progress.noteRunning);
    const resolved = (await control.resolveOperation(
      { operation, input: given },
      'read the input with the configuration',
    )) as ResolvedOperation<Input>;
    if (resolved.workflowId !== workflowInfo().workflowId) {
      joined = await joinCanonical(progress, operation, resolved);
      return joined.message;
    }
    conducted = true;
    progress.tell({ request: resolved.request });
    const { input } = resolved;
    return await body({ input, progress, saga, host: hostCalls(progress.estate, input.host, progress.noteRunning) });
  });
  return joined ?? status;
}

/** A cancelled run still does this. */
export function always<T>(work: () => Promise<T>): Promise<T> {
  return CancellationScope.nonCancellable(work);
}
