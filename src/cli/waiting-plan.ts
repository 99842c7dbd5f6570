// The plan that a restore waits with for somebody's word, of whatever kind it is, and the way it is shown.

import type { Result, View } from './result.ts';

type Plans = Pick<Result, 'plan' | 'partPlan' | 'filesPlan' | 'redisPlan'>;

export interface WaitingPlan {
  readonly run: string;
  readonly component: string;
  readonly digest: string;
  readonly view: View;
  /** As a result has it. */
  readonly told: Plans;
}

/** `undefined` where no restore has made its plan yet. A run has one of them; the recovery inside of a part's is none of its own. */
export function waitingPlan({ plan, partPlan, filesPlan, redisPlan }: Plans): WaitingPlan | undefined {
  if (partPlan !== undefined) return waiting(partPlan, 'part plan', { partPlan });
  if (filesPlan !== undefined) return waiting(filesPlan, 'files plan', { filesPlan });
  if (redisPlan !== undefined) return waiting(redisPlan, 'redis plan', { redisPlan });
  return plan && waiting(plan, 'plan', { plan });
}

type Named = Pick<WaitingPlan, 'run' | 'component' | 'digest'>;

function waiting({ run, component, digest }: Named, view: View, told: Plans): WaitingPlan {
  return { run, component, digest, view, told };
}
