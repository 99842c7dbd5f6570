// The way of giving back data of Redis (docs/redis.md): plan, approve, then beside, into the stopped server or into the running one; undone when it fails.

import { patched } from '@temporalio/workflow';
import type { RedisStep } from '../activities/contract.ts';
import type { RestoreRedisInput, RunStatus } from '../src/domain/operations.ts';
import type { RedisPlan, RedisRestored } from '../src/domain/redis-restore.ts';
import { Approval, requireAsShown } from './lib/approval.ts';
import { errorData } from './lib/failure.ts';
import { type Conduct, operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

/** What was begun before it undoes what was never done. */
const NOTHING_TO_UNDO = 'a restore that touched nothing is not undone';

type Restoring = Conduct<RestoreRedisInput>;

const inPlaceSteps = ['plan', 'approve', 'restore'] as const;
const besideSteps = ['plan', 'restore'] as const;

export async function restoreRedis(input: RestoreRedisInput): Promise<RunStatus> {
  const inPlace = input?.beside === undefined;
  const progress = new Progress('restoreRedis', input?.component, input?.by, inPlace ? inPlaceSteps : besideSteps);
  const approval = new Approval(progress);
  return operate('restoreRedis', progress, input, async (conduct) => {
    const startedMs = Date.now();
    const { saga, host } = conduct;
    const plan = await makePlan(conduct);
    if (inPlace) {
      await approval.ask(conduct, plan, () =>
        conduct.host.plan.recheckRedis({ run: progress.run, input: conduct.input }, 'the plan still holds'),
      );
    }
    const { component, digest: planDigest } = plan;
    const restore: RedisStep = { component, run: progress.run, planDigest };
    saga.before('restore', () => host.undo.undoRedis({ component, run: progress.run }, 'as it was before'));
    const given = await progress
      .step('restore', () => host.recover.restoreRedis(restore, wordsOf(plan)))
      .catch((error: unknown) => {
        if (hasTouchedNothing(error) && patched(NOTHING_TO_UNDO)) saga.keep();
        throw error;
      });
    saga.keep();
    const redisRestored: RedisRestored = {
      ...{ id: progress.run, component, snapshot: plan.snapshot.id, to: plan.snapshot.to },
      ...given,
      timingsMs: { total: Date.now() - startedMs },
    };
    progress.tell({ redisRestored });
    return describe(plan, redisRestored);
  });
}

/** No key matches, and what was made to find that out is gone: it was refused, not rolled back. */
function hasTouchedNothing(error: unknown): boolean {
  const { code, details } = errorData(error);
  return code === 'NOT_FOUND' && details?.untouched === true;
}

async function makePlan({ input, progress, host }: Restoring): Promise<RedisPlan> {
  const plan = await progress.step('plan', () =>
    host.plan.planRedis({ run: progress.run, input, keep: true }, `resolve ${input.to}, look at the server`),
  );
  progress.tell({ redisPlan: plan, ...(plan.warnings.length === 0 ? {} : { warnings: plan.warnings }) });
  requireAsShown(input, plan);
  return plan;
}

function wordsOf({ way }: RedisPlan): string {
  switch (way) {
    case 'stopped':
      return 'stage, prove, stop, exchange by renames, start';
    case 'live':
      return 'prove, pause writes, keep, exchange by two changes of role, compare';
    case 'keys':
      return 'prove, list what differs, replace it';
    default:
      return 'fetch, check, load and compare';
  }
}

function describe({ component, snapshot, directory, mode, pattern }: RedisPlan, { id }: RedisRestored): string {
  const what = `${pattern === undefined ? '' : `keys '${pattern}' of `}${component} as of ${snapshot.to}`;
  if (mode === 'beside') return `${what} is in ${directory}`;
  return `${what} is in place; what was there is kept until \`holdfast confirm ${id}\``;
}
