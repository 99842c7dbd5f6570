// The end of every run: undo when it failed, a named state, a record in the vault that no cancellation prevents, and a typed close.

import { allHandlersFinished, CancellationScope, ContinueAsNew, condition, log } from '@temporalio/workflow';
import type { RunStatus } from '../../src/domain/operations.ts';
import type { RunState } from '../../src/domain/states.ts';
import { catalogue, type ErrorData, exitCodes, HoldfastError } from '../../src/errors/index.ts';
import { closingFailure, errorData } from './failure.ts';
import type { Progress } from './progress.ts';
import { controlCalls } from './proxies.ts';
import type { Saga, Unwound } from './saga.ts';

export interface EndingOptions {
  /** Older undos need the newer ones to have worked (see `Saga.unwind`). */
  readonly stopUndoAtFailure: boolean;
  /** False for runs that were refused before they were anybody's run, and for those that only joined one. */
  readonly keepsRecord: () => boolean;
}

/** Runs the body, which returns how it ended in words, and closes the run in a named state. */
export async function conduct(
  progress: Progress,
  saga: Saga,
  options: EndingOptions,
  body: () => Promise<string>,
): Promise<RunStatus> {
  try {
    progress.end('completed', await body());
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    await endInFailure(progress, saga, options, errorData(error));
  }
  if (options.keepsRecord()) await putRecord(progress);
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  const status = progress.status();
  if (status.error !== undefined) throw closingFailure({ ...status, error: status.error });
  return status;
}

async function endInFailure(progress: Progress, saga: Saga, options: EndingOptions, error: ErrorData): Promise<void> {
  if (saga.isEmpty) {
    progress.end(closingState(error), error.message, error);
    return;
  }
  progress.say(`undoing after: ${error.message}`);
  const unwound = await saga.unwind(options.stopUndoAtFailure, (step, ok) => progress.undone(step, ok));
  const closing = unwound.failed.length === 0 ? rolledBack(error) : stuck(error, unwound);
  progress.end(unwound.failed.length === 0 ? 'rolled back' : 'stuck', closing.message, closing);
}

/** Without anything to undo the code decides; a joined run's code says how that one ended. */
function closingState(error: ErrorData): RunState {
  switch (catalogue[error.code].exit) {
    case exitCodes.refused:
    case exitCodes.usage:
      return 'refused';
    case exitCodes.rolledBack:
      return 'rolled back';
    case exitCodes.stuck:
      return 'stuck';
    default:
      return 'failed';
  }
}

function rolledBack(error: ErrorData): ErrorData {
  return new HoldfastError('ROLLED_BACK', `rolled back after: ${error.message}`, {
    hint: error.hint,
    details: { cause: error },
  }).toJSON();
}

function stuck(error: ErrorData, unwound: Unwound): ErrorData {
  const failed = unwound.failed.map((undo) => `'${undo.step}' (${undo.error.message})`).join(', ');
  const left =
    unwound.left.length === 0 ? '' : `; not tried after that: ${unwound.left.map((step) => `'${step}'`).join(', ')}`;
  return new HoldfastError('STUCK', `could not undo ${failed}${left}, after: ${error.message}`, {
    hint: unwound.failed[0]?.error.hint ?? catalogue.STUCK.hint,
    details: { cause: error, failed: unwound.failed, left: unwound.left },
  }).toJSON();
}

async function putRecord(progress: Progress): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    const control = controlCalls(progress.estate, () => undefined);
    const record = { run: progress.run, name: 'result', data: progress.status() };
    try {
      await control.putRunRecord(record, 'keep how the run ended');
    } catch (error) {
      // How the run ended does not depend on whether it could be written down; Temporal still remembers it.
      const reason = errorData(error);
      log.warn('the record of the run could not be stored', { run: progress.run, code: reason.code });
      progress.tell({ recordError: { code: reason.code, message: reason.message } });
    }
  });
}
