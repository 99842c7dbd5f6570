// Accepts a restore in place: the old data is removed and there is no way back.

import type { RunReferenceInput, RunStatus } from '../src/domain/operations.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

export async function confirmRestore(input: RunReferenceInput): Promise<RunStatus> {
  const progress = new Progress('confirmRestore', input?.component, input?.by, ['confirm']);
  return operate('confirmRestore', progress, input, async ({ input, host }) => {
    const { component, run } = input;
    progress.tell({ restoreRun: run });
    const end = await progress.step('confirm', () =>
      host.recover.confirmRestore({ component, run }, `the old data of ${run} is not needed any more`),
    );
    progress.tell({ dataDirectory: end.dataDirectory });
    return end.message;
  });
}
