// Retention (docs/architecture.md): keeps what is held locked, deletes what was named long enough ago and nothing needs, then names what is not needed now.

import { isCancellation, patched } from '@temporalio/workflow';
import type { RetentionRun } from '../activities/contract.ts';
import { besideUnlocked, unlockedError } from '../src/domain/held-words.ts';
import type { ApplyRetentionInput, RunStatus } from '../src/domain/operations.ts';
import type { MarkReport, Refusal, SweepReport } from '../src/domain/retention-report.ts';
import { type ErrorData, fail, fromErrorData } from '../src/errors/index.ts';
import { errorData } from './lib/failure.ts';
import { type Conduct, operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

const steps = ['lock', 'plan', 'sweep', 'mark'] as const;
/** Runs that began before there was this step go on without it. */
const LOCKS_FIRST = 'what is held is kept locked first';

type Retention = Conduct<ApplyRetentionInput>;

export async function applyRetention(input: ApplyRetentionInput): Promise<RunStatus> {
  const progress = new Progress('applyRetention', 'vault', input?.by, steps);
  return operate('applyRetention', progress, input, async (conduct) => {
    const request = { run: progress.run, by: conduct.input.by ?? 'unknown' };
    const unlocked = patched(LOCKS_FIRST) ? await lockHeld(conduct, request) : undefined;
    const message = await unlessUnlocked(unlocked, () => sweepAndMark(conduct, request));
    if (unlocked !== undefined) throw fromErrorData(unlocked);
    return message;
  });
}

/** Needs nothing of what the other steps may doubt, and keeps nothing from them: its failure is given, for the end of the run. */
async function lockHeld({ progress, host }: Retention, request: RetentionRun): Promise<ErrorData | undefined> {
  try {
    await progress.step('lock', async () => {
      const held = await host.begin.lockHeld(request, 'keep what is held locked');
      progress.tell({ held });
      const unlocked = unlockedError(held);
      if (unlocked !== undefined) throw unlocked;
    });
    return undefined;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return errorData(error);
  }
}

async function unlessUnlocked(unlocked: ErrorData | undefined, work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    if (unlocked === undefined || isCancellation(error)) throw error;
    throw besideUnlocked(unlocked, errorData(error));
  }
}

async function sweepAndMark({ input, progress, host }: Retention, request: RetentionRun): Promise<string> {
  if (input.keepsAll) {
    for (const step of ['plan', 'sweep', 'mark']) progress.skip(step, "no component has 'keep'");
    return "no component has 'keep': nothing was marked or deleted";
  }
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
  return describe(sweep, mark);
}

/** The components that could be judged were; a run that had to leave one alone does not end well. */
function requireJudged(refused: readonly Refusal[]): void {
  const [first] = refused;
  if (first === undefined) return;
  const components = [...new Set(refused.map(({ component }) => component))];
  const others = components.length > 1 ? ` (and ${components.length - 1} more)` : '';
  fail(first.error.code, `${first.error.message}${others}`, { hint: first.error.hint, details: { refused } });
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
