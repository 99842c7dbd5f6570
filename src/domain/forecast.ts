// How long a restore will take, by what the restores before it took: scaled up with the bytes, never below what was measured.

import type { PlanSummary } from './plan-summary.ts';
import type { RestoreResult } from './run-data.ts';

export interface Forecast {
  readonly fetchMs: number;
  readonly replayMs: number;
  /** Promotion, checks and, in place, the swap. */
  readonly restMs: number;
  readonly totalMs: number;
  /** Restores that it is made from. */
  readonly restores: number;
  /** In place, and none of them was: what the swap takes is not known and not counted. */
  readonly isWithoutSwap: boolean;
}

export interface MeasuredRestore {
  readonly plan: Pick<PlanSummary, 'mode' | 'base' | 'log'>;
  readonly timingsMs: RestoreResult['timingsMs'];
}

/** Enough to see through one that was disturbed; older ones are of other data on another machine. */
const NEWEST = 5;

/** `measured`: of this component, newest first. `undefined` when there is none. */
export function forecastRestore(
  { mode, base, log }: Pick<PlanSummary, 'mode' | 'base' | 'log'>,
  measured: readonly MeasuredRestore[],
): Forecast | undefined {
  const used = measured.slice(0, NEWEST);
  if (used.length === 0) return undefined;
  // Starting and stopping costs the same for little data: less of it is no faster.
  const scaled = (ms: number, bytes: number, measuredBytes: number) =>
    ms * Math.max(1, bytes / Math.max(1, measuredBytes));
  const fetchMs = median(used.map((one) => scaled(one.timingsMs.fetch, base.sizeBytes, one.plan.base.sizeBytes)));
  const replayMs = median(used.map((one) => scaled(one.timingsMs.replay, log.bytes, one.plan.log.bytes)));
  const swaps = used.flatMap(({ timingsMs: { swap } }) => (swap === undefined ? [] : [swap]));
  const swapMs = mode === 'in place' && swaps.length > 0 ? median(swaps) : 0;
  const restMs = median(used.map(({ timingsMs: { promote, checks } }) => promote + checks)) + swapMs;
  return {
    ...{ fetchMs, replayMs, restMs, totalMs: fetchMs + replayMs + restMs, restores: used.length },
    isWithoutSwap: mode === 'in place' && swaps.length === 0,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[middle - 1] ?? 0, sorted[middle] ?? 0];
  return Math.round(sorted.length % 2 === 1 ? high : (low + high) / 2);
}
