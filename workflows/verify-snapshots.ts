// Verification (docs/architecture.md): looks at what the copies hold, as closely as asked, and ends badly when something is damaged or missing, or cannot be known.

import { workflowInfo } from '@temporalio/workflow';
import { type ComponentIntegrity, isUnasked } from '../src/domain/integrity.ts';
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

function describe(reports: readonly ComponentIntegrity[]): string {
  const copies = reports.flatMap((report) => report.copies);
  const good = copies.reduce((sum, { objects }) => sum + objects.good, 0);
  const left = copies.reduce((sum, { objects }) => sum + objects['not checked'], 0);
  const unasked = new Set(copies.filter(isUnasked).map(({ copy }) => copy));
  const told = left === 0 && unasked.size > 0 ? [] : [`${left} not checked`];
  const away = unasked.size === 0 ? '' : `; not asked: ${[...unasked].join(', ')}`;
  return `${[`${good} objects good`, ...told].join(', ')}${away}`;
}
