// Goes back to the data that a restore in place replaced; the journal beside the data decides what that takes.

import type { RunReferenceInput, RunStatus } from '../src/domain/operations.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

export async function rollbackRestore(input: RunReferenceInput): Promise<RunStatus> {
  const progress = new Progress('rollbackRestore', input?.component, input?.by, ['roll back']);
  return operate('rollbackRestore', progress, input, async ({ input, host }) => {
    const { component, run } = input;
    progress.tell({ restoreRun: run });
    const end = await progress.step('roll back', () =>
      host.recover.rollbackRestore({ component, run }, `what the journal of ${run} says`),
    );
    progress.tell({ dataDirectory: end.dataDirectory });
    return end.message;
  });
}
