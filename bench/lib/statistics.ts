// What several measurements of the same work say together.

import { cpuS, type Measurement } from './measure.ts';

export interface Summary {
  readonly rounds: number;
  readonly wallS: number;
  readonly wallSpreadS: readonly [least: number, greatest: number];
  readonly cpuS: number;
  readonly userS: number;
  readonly peakRssBytes: number;
  /** Share of the machine that others used meanwhile, 0–1, of the noisiest measurement. */
  readonly foreignShare: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Medians, each of its own; memory is the greatest of all rounds, because a limit must hold always. */
export function summarize(measurements: readonly Measurement[], cores: number): Summary {
  const walls = measurements.map((each) => each.wallS);
  return {
    rounds: measurements.length,
    wallS: median(walls),
    wallSpreadS: [Math.min(...walls), Math.max(...walls)],
    cpuS: median(measurements.map(cpuS)),
    userS: median(measurements.map((each) => each.userS)),
    peakRssBytes: Math.max(...measurements.map((each) => each.peakRssBytes)),
    foreignShare: Math.max(...measurements.map((each) => each.foreignCpuS / (each.wallS * cores))),
  };
}
