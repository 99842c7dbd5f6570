// Brings one copy up to what the others hold; waits for a copy that is away as long as it takes.

import { setHandler } from '@temporalio/workflow';
import type { CatchUpInput, RunStatus } from '../src/domain/operations.ts';
import { againSignal } from './lib/catching-up.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

export async function catchUpCopy(input: CatchUpInput): Promise<RunStatus> {
  const progress = new Progress('catchUpCopy', input?.copy, undefined, ['copy what is missing']);
  let again = false;
  setHandler(againSignal, () => {
    again = true;
  });
  return operate('catchUpCopy', progress, input, async ({ input, host }) => {
    const { copy } = input;
    progress.tell({ copy });
    const done = await progress.step('copy what is missing', async () => {
      for (;;) {
        again = false;
        const round = await host.patient.catchUpCopy(input, `bring ${copy} up to the others, when it answers`);
        progress.tell({ progress: round });
        if (!again) return round;
      }
    });
    return `${copy} has everything the others have: ${done.objects} objects copied`;
  });
}
