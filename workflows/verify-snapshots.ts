// Verification (docs/architecture.md): looks at what the copies hold, as closely as asked, and ends badly when something is damaged or missing.

import { workflowInfo } from '@temporalio/workflow';
import type { ComponentIntegrity } from '../src/domain/integrity.ts';
import type { RunStatus, VerifySnapshotsInput } from '../src/domain/operations.ts';
import { fail } from '../src/errors/index.ts';
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
    requireGood(integrity);
    return describe(integrity);
  });
}

function requireGood(reports: readonly ComponentIntegrity[]): void {
  const bad = reports.flatMap(({ component, copies }) =>
    copies.flatMap(({ copy, state, findings }) =>
      state === 'damaged' || state === 'missing' ? [{ component, copy, state, findings }] : [],
    ),
  );
  const [first] = bad;
  if (first === undefined) return;
  const what = bad.map(({ component, copy, state }) => `${component} on ${copy} is ${state}`).join(', ');
  const found = first.findings[0]?.message;
  fail('CHECK_FAILED', `${what}${found === undefined ? '' : `: ${found}`}`, {
    hint: `\`holdfast copies repair ${first.copy}\` takes good bytes from another copy`,
  });
}

function describe(reports: readonly ComponentIntegrity[]): string {
  const copies = reports.flatMap((report) => report.copies);
  const good = copies.reduce((sum, { objects }) => sum + objects.good, 0);
  const left = copies.reduce((sum, { objects }) => sum + objects['not checked'], 0);
  const silent = copies.filter(({ state, objects }) => state === 'not checked' && objects['not checked'] === 0);
  const away = silent.length === 0 ? '' : `; not asked: ${[...new Set(silent.map(({ copy }) => copy))].join(', ')}`;
  return `${good} objects good, ${left} not checked${away}`;
}
