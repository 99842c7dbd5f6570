// Copies that lack something are brought up by one process per copy, which waits until the copy is back.

import { defineSignal, getExternalWorkflowHandle } from '@temporalio/workflow';
import { workflowIds } from '../../src/domain/ids.ts';
import type { CatchUpInput } from '../../src/domain/operations.ts';
import { startBeside } from './join.ts';
import type { Progress } from './progress.ts';

/** Tells a running catch-up that there is more to copy than it saw when it began. */
export const againSignal = defineSignal('again');

export async function catchUpLaggards(progress: Progress, host: string, copies: readonly string[]): Promise<void> {
  for (const copy of copies) {
    const input: CatchUpInput = { estate: progress.estate, host, copy };
    const workflowId = workflowIds.catchUp(progress.estate, copy);
    if (await startBeside('catchUpCopy', workflowId, input)) continue;
    try {
      await getExternalWorkflowHandle(workflowId).signal(againSignal);
    } catch {
      // It ended between our question and our signal: a new one sees everything.
      await startBeside('catchUpCopy', workflowId, input);
    }
  }
}
