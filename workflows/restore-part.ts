// The way of one table or one database of a moment (docs/architecture.md): plan, approve, recover beside, take it out, load and compare, place it, tidy up; undone when it fails.

import type { PartStep, PlacedPart, PlacePart, RestoreRequest } from '../activities/contract.ts';
import type { RestorePartInput, RunStatus } from '../src/domain/operations.ts';
import type { PartPlan, PartResult } from '../src/domain/part.ts';
import { Approval, requireAsShown } from './lib/approval.ts';
import { buildingSteps, buildRecovered } from './lib/build-recovered.ts';
import { always, type Conduct, operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

type Conducting = Conduct<RestorePartInput>;

export async function restorePart(input: RestorePartInput): Promise<RunStatus> {
  const isReplace = input?.replace === true;
  const placing = isReplace ? 'replace' : 'name';
  const steps = ['plan', ...(isReplace ? ['approve'] : []), ...buildingSteps, 'extract', 'load', placing, 'tidy up'];
  const progress = new Progress('restorePart', input?.component, input?.by, steps);
  const approval = new Approval(progress);
  return operate('restorePart', progress, input, async (conduct) => {
    const { saga, host } = conduct;
    const plan = await makePlan(conduct);
    if (isReplace) {
      await approval.ask(conduct, plan, () =>
        conduct.host.plan.recheckPart(
          { run: progress.run, input: conduct.input, digest: plan.digest },
          'the plan still holds',
        ),
      );
    }
    const { component, workDirectory, digest: planDigest } = plan.recovery;
    const restore: RestoreRequest = { component, run: progress.run, workDirectory, planDigest };
    const { database, production } = plan;
    const step: PartStep = { ...restore, input: conduct.input, database, production };
    const told: string[] = [];
    const prepare = async () => {
      const words = 'work directory, lock and journal; what ended runs left goes';
      const warnings = await host.recover.preparePart(step, words);
      // A run that began before there were any has none.
      told.push(...(warnings ?? []));
      if (told.length > 0) progress.tell({ warnings: told });
    };
    const { warnings: met = [] } = await buildRecovered(conduct, restore, { prepare });
    told.push(...met);
    const extracted = await progress.step('extract', () =>
      host.recover.extractPart(step, `take ${plan.what} out of the recovered server`),
    );

    const place: PlacePart = { ...step, extracted };
    saga.before('load', () => host.undo.undoPart(step, 'drop what has no name yet'));
    await progress.step('load', () => host.recover.loadPart(place, 'where nobody looks, and compared there'));
    const placed = await progress.step(placing, () =>
      host.recover.placePart(
        place,
        isReplace ? `rows of ${plan.into}, in one transaction` : `give it the name ${plan.into}`,
      ),
    );
    // Clients may use it from now on; of what was built only the throwaway server is left to remove.
    saga.keep();
    tellResult(conduct, plan, withWarnings(placed, told));
    await always(() =>
      progress.step('tidy up', () => host.undo.abandonRestore(restore, 'stop the recovered server and remove it')),
    );
    return describe(plan, placed);
  });
}

async function makePlan({ input, progress, host }: Conducting): Promise<PartPlan> {
  const plan = await progress.step('plan', () =>
    host.plan.planPart({ run: progress.run, input, keep: true }, `resolve ${input.to}, look at production`),
  );
  progress.tell({ partPlan: plan });
  requireAsShown(input, plan);
  return plan;
}

function withWarnings(placed: PlacedPart, told: readonly string[]): PlacedPart {
  if (told.length === 0) return placed;
  return { ...placed, warnings: [...told, ...(placed.warnings ?? [])] };
}

function tellResult({ progress }: Conducting, plan: PartPlan, placed: PlacedPart): void {
  const { component, database, what, way, into, recovery } = plan;
  const part: PartResult = {
    ...{ id: progress.run, component, database, what, way, into },
    ...{ recoveredTo: recovery.target.moment, recoveredLsn: recovery.target.endLsn },
    ...placed,
  };
  progress.tell({ part, ...(placed.warnings && { warnings: placed.warnings }) });
}

function describe({ what, way, into, database, recovery }: PartPlan, { rows, tables, kept }: PlacedPart): string {
  const moment = recovery.target.moment;
  if (way === 'into') return `${what} as of ${moment} is in database '${into}': ${rows} rows of ${tables} tables`;
  if (kept === undefined) return `${what} of database '${database}' as of ${moment} is there as ${into}: ${rows} rows`;
  return `${into} of database '${database}' has its ${rows} rows of ${moment}; the ${kept.rows} of before are kept in ${kept.table}`;
}
