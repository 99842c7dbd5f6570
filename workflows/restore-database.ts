// The way of a restore (docs/architecture.md): plan, approve, then build beside, prove, and, in place, swap; undone when it fails.

import type { RestoreFacts, RestoreRequest } from '../activities/contract.ts';
import { workflowIds } from '../src/domain/ids.ts';
import type { BackupDatabaseInput, RestoreDatabaseInput, RunStatus } from '../src/domain/operations.ts';
import type { PlanSummary } from '../src/domain/plan-summary.ts';
import type { RestoreResult } from '../src/domain/run-data.ts';
import { fail } from '../src/errors/index.ts';
import { Approval } from './lib/approval.ts';
import { type Built, buildingSteps, buildRecovered } from './lib/build-recovered.ts';
import { startBeside } from './lib/join.ts';
import { type Conduct, operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

type Restoring = Conduct<RestoreDatabaseInput>;

const inPlaceSteps = ['plan', 'approve', ...buildingSteps, 'swap', 'resume'] as const;
const besideSteps = ['plan', ...buildingSteps, 'finish'] as const;
/** Promoted, it would be a primary of its own. */
const standbySteps = besideSteps.filter((name) => name !== 'promote');

export async function restoreDatabase(input: RestoreDatabaseInput): Promise<RunStatus> {
  const inPlace = input?.beside === undefined;
  const steps = inPlace ? inPlaceSteps : input.beside?.standby === true ? standbySteps : besideSteps;
  const progress = new Progress('restoreDatabase', input?.component, input?.by, steps);
  const approval = new Approval(progress);
  const runbook = async (conduct: Restoring) => {
    const plan = await makePlan(conduct);
    const { component, workDirectory, digest: planDigest } = plan;
    const restore: RestoreRequest = { component, run: progress.run, workDirectory, planDigest };
    if (inPlace)
      await approval.ask(conduct, plan, () => conduct.host.plan.recheckPlan(restore, 'the plan still holds'));
    const built = await buildRecovered(conduct, restore, { standby: conduct.input.beside?.standby === true });
    return inPlace ? await replace(conduct, restore, plan, built) : await leaveBeside(conduct, restore, plan, built);
  };
  // Undoing a swap that cannot be undone must not remove what it still needs.
  return operate('restoreDatabase', progress, input, runbook, { stopUndoAtFailure: true });
}

async function makePlan({ input, progress, host }: Restoring): Promise<PlanSummary> {
  const plan = await progress.step('plan', () =>
    host.plan.planRestore({ run: progress.run, input, keep: true }, `resolve ${input.to}, choose snapshot and copy`),
  );
  progress.tell({ plan });
  if (input.planDigest !== undefined && input.planDigest !== plan.digest) {
    fail('PLAN_CHANGED', `the plan now has digest '${plan.digest}', not '${input.planDigest}' as shown`);
  }
  return plan;
}

async function replace(conduct: Restoring, restore: RestoreRequest, plan: PlanSummary, built: Built): Promise<string> {
  const { progress, saga, host } = conduct;
  const { component, run } = restore;
  saga.before('swap', () => host.undo.undoSwap(restore, 'rename back, start the old data'));
  const swapped = await progress.step('swap', () =>
    host.recover.swapIn(restore, 'stop the service, keep its log, journaled renames'),
  );
  const facts = await progress.step('resume', () =>
    host.recover.resumeProduction(restore, 'service on the new data, log on the new timeline'),
  );
  // Clients write to the new data from now on: going back is a person's decision (`holdfast rollback`).
  saga.keep();
  tellResult(conduct, plan, facts, { ...built, ...swapped });
  await backUpNewTimeline(conduct);
  return `${component} is at ${facts.recoveredTo}; the old data is kept until \`holdfast confirm ${run}\``;
}

async function leaveBeside(
  conduct: Restoring,
  restore: RestoreRequest,
  plan: PlanSummary,
  built: Built,
): Promise<string> {
  const { progress, saga, host } = conduct;
  const facts = await progress.step('finish', () => host.recover.finishBeside(restore, finishWords(plan)));
  saga.keep();
  tellResult(conduct, plan, facts, built);
  if (plan.standbySlot !== undefined) {
    return `a standby of ${restore.component} follows it in ${facts.dataDirectory}; \`holdfast stop ${restore.run}\` ends it and removes its slot`;
  }
  return `${restore.component} as of ${facts.recoveredTo} is in ${facts.dataDirectory}`;
}

function finishWords({ start, standbySlot }: PlanSummary): string {
  if (standbySlot !== undefined) return 'follow the primary, until what is written there arrives';
  return start ? 'leave the server running' : 'stop the server, leave the data';
}

function tellResult({ progress }: Restoring, plan: PlanSummary, facts: RestoreFacts, built: Built): void {
  const { checks, warnings: met = [], ...timings } = built;
  const warnings = [...met, ...(facts.warnings ?? [])];
  const restore: RestoreResult = {
    ...facts,
    id: progress.run,
    component: plan.component,
    target: plan.target.requested,
    ...(checks === undefined ? {} : { checks }),
    ...(warnings.length === 0 ? {} : { warnings }),
    timingsMs: {
      fetch: timings.fetchMs ?? 0,
      replay: timings.replayMs ?? 0,
      promote: timings.promoteMs ?? 0,
      checks: timings.checksMs ?? 0,
      ...(timings.swapMs === undefined ? {} : { swap: timings.swapMs }),
      total: Date.now() - Date.parse(progress.status().startedAt),
    },
  };
  progress.tell({ restore });
}

async function backUpNewTimeline({ input, progress }: Restoring): Promise<void> {
  const { estate, component, host } = input;
  const backup: BackupDatabaseInput = {
    estate,
    component,
    host,
    kind: 'physical',
    reason: `after ${progress.run}`,
    by: progress.run,
  };
  const workflowId = workflowIds.backup(estate, component);
  await startBeside('backupDatabase', workflowId, backup);
  progress.tell({ backup: workflowId });
}
