// The way of a dump into a database (docs/architecture.md): plan, fetch, make roles, load and compare, tidy up; undone when it fails.

import type { LoadStep } from '../activities/contract.ts';
import type { LoadResult } from '../src/domain/load.ts';
import type { LoadDumpInput, RunStatus } from '../src/domain/operations.ts';
import { fail } from '../src/errors/index.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

const steps = ['plan', 'fetch', 'roles', 'load', 'tidy up'] as const;

export async function loadDump(input: LoadDumpInput): Promise<RunStatus> {
  const progress = new Progress('loadDump', input?.component, input?.by, steps);
  return operate('loadDump', progress, input, async ({ input, saga, host }) => {
    const { run } = progress;
    const plan = await progress.step('plan', () =>
      host.plan.planLoad({ run, input, keep: true }, `look into ${input.snapshot}, and where it goes`),
    );
    progress.tell({ loadPlan: plan });
    if (input.planDigest !== undefined && input.planDigest !== plan.digest) {
      fail('PLAN_CHANGED', `the plan now has digest '${plan.digest}', not '${input.planDigest}' as shown`);
    }
    const [blocker] = plan.blockers ?? [];
    if (blocker !== undefined) fail(blocker.code, blocker.message, { hint: blocker.hint });

    const step: LoadStep = { run, input };
    saga.before('fetch', () => host.undo.removeFetched(step, 'remove what was fetched'));
    await progress.step('fetch', () => host.recover.fetchDump(step, 'list and rows of what is wanted, verified'));
    if (plan.roles.length === 0) progress.skip('roles', 'none is to be made');
    else {
      saga.before('roles', () => host.undo.undoRoles(step, 'drop the roles that were made'));
      await progress.step('roles', () => host.recover.makeRoles(step, `make ${plan.roles.length} roles`));
    }

    saga.before('load', () => host.undo.undoLoad(step, 'drop what was not finished'));
    const load = await progress.step('load', () =>
      host.recover.loadDump(step, `${plan.what} into '${plan.into}', every table compared`),
    );
    // It is whole and has its name: clients may use it from now on.
    saga.keep();
    const { warnings } = load;
    progress.tell({ load, ...(warnings === undefined ? {} : { warnings }) });
    await progress.step('tidy up', () => host.undo.removeFetched(step, 'remove what was fetched'));
    return describe(load);
  });
}

function describe({ what, into, moment, tables, rows }: LoadResult): string {
  return `${what} as of ${moment} is in database '${into}': ${rows} rows of ${tables} tables, as in the dump`;
}
