// Verification (docs/architecture.md): looks at what the copies hold, as closely as asked, and ends badly when something is damaged or missing, or cannot be known.

import { workflowInfo } from '@temporalio/workflow';
import type { ComponentIntegrity } from '../src/domain/integrity.ts';
import { requireProven } from '../src/domain/integrity-end.ts';
import type { RunStatus, VerifySnapshotsInput } from '../src/domain/operations.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

export async function verifySnapshots(input: VerifySnapshotsInput): Promise<RunStatus> {
  const progress = new Progress('verifySnapshots', input?.component ?? 'vault', input?.by, ['look']);
  return operate('verifySnapshots', progress, input, async ({ input, host }) => {
    const { component, level, copy, withinDays, budgetBytes, timeSeconds } = input;
    const scope = { component, level, copy, withinDays, budgetBytes, timeSeconds };
    const startedAt = workflowInfo().runStartTime.toISOString();
    const request = { ...scope, run: progress.run, startedAt };
    const integrity = await progress.step('look', () =>
      host.work.verifyIntegrity(request, `${level} on ${copy ?? 'every copy'}`),
    );
    progress.tell({ integrity });
    requireProven(integrity, input);
    return describe(integrity);
  });
}

/** Whoever could not be asked has failed the run before. */
function describe(reports: readonly ComponentIntegrity[]): string {
  const counts = reports.flatMap(({ copies }) => copies.map(({ objects }) => objects));
  const good = counts.reduce((sum, objects) => sum + objects.good, 0);
  const left = counts.reduce((sum, objects) => sum + objects['not checked'], 0);
  return `${good} objects good, ${left} not checked`;
}
