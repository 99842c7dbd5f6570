// The way of giving back files (docs/files.md): plan, approve, then write beside or exchange in place, and look at all of it again; undone when it fails.

import type { FilesStep } from '../activities/contract.ts';
import type { FilesPlan, FilesRestored, WrittenFiles } from '../src/domain/files-restore.ts';
import type { RestoreFilesInput, RunStatus } from '../src/domain/operations.ts';
import { Approval, requireAsShown } from './lib/approval.ts';
import { type Conduct, operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

type Restoring = Conduct<RestoreFilesInput>;

const inPlaceSteps = ['plan', 'approve', 'exchange', 'compare'] as const;
const besideSteps = ['plan', 'write', 'compare'] as const;

export async function restoreFiles(input: RestoreFilesInput): Promise<RunStatus> {
  const inPlace = input?.beside === undefined;
  const steps = inPlace ? inPlaceSteps : besideSteps;
  const progress = new Progress('restoreFiles', input?.component, input?.by, steps);
  const approval = new Approval(progress);
  return operate('restoreFiles', progress, input, async (conduct) => {
    const startedMs = Date.now();
    const { saga, host } = conduct;
    const plan = await makePlan(conduct);
    if (inPlace) {
      await approval.ask(conduct, plan, () =>
        conduct.host.planTrees.recheckFiles({ run: progress.run, input: conduct.input }, 'the plan still holds'),
      );
    }
    const { component, digest: planDigest } = plan;
    const { directory } = plan;
    const beside = directory === undefined ? {} : { directory };
    const restore: FilesStep = { component, run: progress.run, planDigest, ...beside };

    const step = inPlace ? 'exchange' : 'write';
    saga.before(step, () => host.undo.undoFiles(restore, 'as it was before'));
    const written = await progress.step(step, () =>
      host.recover.restoreFiles(restore, inPlace ? 'stage, verify, exchange by renames' : 'write and verify'),
    );
    const writtenMs = Date.now();
    const compared = await progress.step('compare', () =>
      host.recover.compareFiles({ ...restore, lacking: written.lacking.count }, 'every entry beside the snapshot'),
    );
    saga.keep();
    const now = Date.now();
    const timingsMs = { restore: writtenMs - startedMs, compare: now - writtenMs, total: now - startedMs };
    tellResult(conduct, plan, written, compared, timingsMs);
    return describe(plan, progress.run);
  });
}

async function makePlan({ input, progress, host }: Restoring): Promise<FilesPlan> {
  const plan = await progress.step('plan', () =>
    host.planTrees.planFiles(
      { run: progress.run, input, keep: true },
      `resolve ${input.to}, compare with what is there`,
    ),
  );
  progress.tell({ filesPlan: plan });
  requireAsShown(input, plan);
  return plan;
}

function tellResult(
  { progress }: Restoring,
  { component, snapshot, directory }: FilesPlan,
  written: WrittenFiles,
  compared: FilesRestored['compared'],
  timingsMs: FilesRestored['timingsMs'],
): void {
  const filesRestored: FilesRestored = {
    ...{ id: progress.run, component, snapshot: snapshot.id, from: snapshot.from, to: snapshot.to },
    ...(directory === undefined ? {} : { directory }),
    ...written,
    ...{ compared, timingsMs },
  };
  const told = [
    ...(written.warnings ?? []),
    ...(compared.warnings ?? []),
    ...(written.lacking.count === 0
      ? []
      : [`${written.lacking.count} properties could not be given: ${written.lacking.first.join(', ')}`]),
    ...(compared.differing.count === 0
      ? []
      : [
          `${compared.differing.count} names differ again, because somebody writes there: ${compared.differing.first.join(', ')}`,
        ]),
  ];
  progress.tell({ filesRestored, ...(told.length === 0 ? {} : { warnings: told }) });
}

function describe({ component, snapshot, directory }: FilesPlan, run: string): string {
  const what = `${component} as of ${snapshot.to}`;
  if (directory !== undefined) return `${what} is in ${directory}`;
  return `${what} is in place; what was there is kept until \`holdfast confirm ${run}\``;
}
