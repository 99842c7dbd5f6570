// Retention (docs/architecture.md): deletes what was named long enough ago and nothing needs, then names what is not needed now.

import type { ApplyRetentionInput, RunStatus } from '../src/domain/operations.ts';
import type { HeldLocks, MarkReport, Refusal, SweepReport } from '../src/domain/retention-report.ts';
import { fail } from '../src/errors/index.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

const steps = ['plan', 'sweep', 'mark'] as const;

export async function applyRetention(input: ApplyRetentionInput): Promise<RunStatus> {
  const progress = new Progress('applyRetention', 'vault', input?.by, steps);
  return operate('applyRetention', progress, input, async ({ input, host }) => {
    const request = { run: progress.run, by: input.by ?? 'unknown' };
    const { digest } = await progress.step('plan', () => host.look.planRetention(request, 'what every copy holds'));
    if (input.planDigest !== undefined && input.planDigest !== digest) {
      fail('PLAN_CHANGED', `the plan now has digest '${digest}', not '${input.planDigest}' as shown`);
    }
    const sweep = await progress.step('sweep', () => host.work.sweepRetention(request, 'delete what is due'));
    progress.tell({ sweep });
    const marking = input.beyondMaximum ? { ...request, beyondMaximum: true } : request;
    const mark = await progress.step('mark', () => host.work.markRetention(marking, 'name what is not needed'));
    progress.tell({ mark });
    requireJudged([...sweep.refused, ...mark.refused]);
    requireLocked(mark.held ?? []);
    return describe(sweep, mark);
  });
}

/** The components that could be judged were; a run that had to leave one alone does not end well. */
function requireJudged(refused: readonly Refusal[]): void {
  const [first] = refused;
  if (first === undefined) return;
  const components = [...new Set(refused.map(({ component }) => component))];
  const others = components.length > 1 ? ` (and ${components.length - 1} more)` : '';
  fail(first.error.code, `${first.error.message}${others}`, { hint: first.error.hint, details: { refused } });
}

/** What is held stays whatever happens here; that it could be deleted by whoever may must not pass in silence. */
function requireLocked(held: readonly HeldLocks[]): void {
  const failed = held.find(({ error }) => error !== undefined);
  if (failed?.error === undefined) return;
  const { code, message, hint } = failed.error;
  fail(code, `what is held on '${failed.copy}' could not be kept locked: ${message}`, { hint, details: { held } });
}

function describe(sweep: SweepReport, mark: MarkReport): string {
  const deleted = Object.values(sweep.deleted).reduce((sum, { objects }) => sum + objects, 0);
  const gone = `${deleted} objects deleted on ${Object.keys(sweep.deleted).length} copies, ${sweep.snapshots.length} snapshots gone`;
  const marked =
    mark.tombstone === undefined
      ? 'nothing new marked'
      : `${mark.tombstone.snapshots.length} snapshots and ${mark.tombstone.logObjects} objects of log marked until ${mark.tombstone.due ?? 'every copy has the tombstone'}`;
  return `${gone}; ${marked}`;
}
