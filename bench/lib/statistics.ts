// What several measurements of the same work say together.

import { besideS, cpuS, type Measurement } from './measure.ts';

/** Of all cores, by others: above it a run is noisy. The kernel's own writing behind a command's back stays below it. */
export const NOISY_SHARE = 0.1;

export interface Summary {
  readonly rounds: number;
  readonly wallS: number;
  readonly wallSpreadS: readonly [least: number, greatest: number];
  readonly cpuS: number;
  readonly userS: number;
  /** Of what worked for it beside it: the server, the log on its way. */
  readonly besideS: number;
  readonly peakRssBytes: number;
  /** Share of the machine that others used meanwhile, 0–1, of the noisiest measurement that counts. */
  readonly foreignShare: number;
  /** Noisy measurements that do not count, because as many quiet ones as were wanted are there. */
  readonly setAside: number;
}

/** Share of the machine that others used meanwhile, 0–1. */
export function foreignShareOf({ foreignCpuS, wallS }: Measurement, cores: number): number {
  return foreignCpuS / (wallS * cores);
}

/** Those that met no more noise than `NOISY_SHARE`. What a command took has no say in it. */
export function quietOnes(measurements: readonly Measurement[], cores: number): Measurement[] {
  return measurements.filter((each) => foreignShareOf(each, cores) <= NOISY_SHARE);
}

/** The quiet ones alone, where there are as many as were `wanted`; else all. */
export function countedOf(measurements: readonly Measurement[], cores: number, wanted: number): readonly Measurement[] {
  const quiet = quietOnes(measurements, cores);
  return quiet.length >= wanted ? quiet : measurements;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** The smallest value that at least `share` (0 to 1) of the values do not exceed (nearest rank). Throws `RangeError` for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (found === undefined) throw new RangeError('a percentile of nothing');
  return found;
}

/** Medians, each of its own, of those that count (`countedOf`); memory is the greatest of all rounds, because a limit must hold always. */
export function summarize(measurements: readonly Measurement[], cores: number, wanted = measurements.length): Summary {
  const counted = countedOf(measurements, cores, wanted);
  const walls = counted.map((each) => each.wallS);
  return {
    rounds: counted.length,
    wallS: median(walls),
    wallSpreadS: [Math.min(...walls), Math.max(...walls)],
    cpuS: median(counted.map(cpuS)),
    userS: median(counted.map((each) => each.userS)),
    besideS: median(counted.map(besideS)),
    peakRssBytes: Math.max(...measurements.map((each) => each.peakRssBytes)),
    foreignShare: Math.max(...counted.map((each) => foreignShareOf(each, cores))),
    setAside: measurements.length - counted.length,
  };
}
