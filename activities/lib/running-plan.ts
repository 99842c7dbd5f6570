// One step of a restore under way: its plan, the lease it holds, and the activity that runs it.

import type { Guard } from '../../src/postgres/recovery/index.ts';
import type { RestorePlan } from '../../src/postgres/types.ts';
import type { Running } from './activity-runner.ts';

export interface RunningPlan {
  readonly plan: RestorePlan;
  readonly guard: Guard;
  readonly running: Running;
}
