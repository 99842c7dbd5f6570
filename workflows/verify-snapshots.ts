// Verification (docs/architecture.md): looks at what the copies hold, as closely as asked, and ends badly when something is damaged or missing, or cannot be known.

import { workflowInfo } from '@temporalio/workflow';
import { type ComponentIntegrity, isUnasked, unknownCopies } from '../src/domain/integrity.ts';
import type { RunStatus, VerificationScope, VerifySnapshotsInput } from '../src/domain/operations.ts';
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
    requireKnown(integrity, input);
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

/** What nobody could look at is no better than what is missing until somebody has. */
function requireKnown(reports: readonly ComponentIntegrity[], scope: VerificationScope): void {
  const unknown = unknownCopies(reports, scope);
  const [first] = unknown;
  if (first === undefined) return;
  const words = (copy: (typeof unknown)[number]) =>
    `${copy.component} on ${copy.copy} was not ${isUnasked(copy) ? 'asked' : 'looked at in all of it'}`;
  const why = first.error === undefined ? '' : `: ${first.error.message}`;
  fail('CHECK_FAILED', `${unknown.map(words).join(', ')}${why}`, {
    hint: first.error?.hint ?? 'a store that keeps no checksums attests nothing: `--level hashed` reads every byte',
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
