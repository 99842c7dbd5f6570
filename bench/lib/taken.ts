// What the rounds gave of one piece of work of one contender, and how it is summed up.

import type { Measurement } from './measure.ts';
import { median, type Summary, summarize } from './statistics.ts';

export interface TakenWork {
  readonly measurements: Measurement[];
  readonly storedBytes: number[];
  readonly steps: Readonly<Record<string, number>>[];
  command: string;
}

export type Taken<Work extends string> = Partial<Record<Work, TakenWork>>;

export interface WorkResult {
  readonly command: string;
  readonly summary: Summary;
  /** What the work added to the repository; median over the rounds. */
  readonly storedBytes: number;
  /** As far as it tells: ms of its steps; medians. */
  readonly steps?: Readonly<Record<string, number>>;
  readonly measurements: readonly Measurement[];
}

export function takenOf<Work extends string>(taken: Taken<Work>, work: Work): TakenWork {
  const into: TakenWork = taken[work] ?? { measurements: [], storedBytes: [], steps: [], command: '' };
  taken[work] = into;
  return into;
}

export function measurementsOf<Work extends string>(taken: Taken<Work>): readonly Measurement[][] {
  return Object.values<TakenWork | undefined>(taken).flatMap((each) => (each === undefined ? [] : [each.measurements]));
}

/** `rounds`: as many as were asked for. */
export function summarizeWork(
  { measurements, storedBytes, steps, command }: TakenWork,
  cores: number,
  rounds: number,
): WorkResult {
  const names = Object.keys(steps[0] ?? {});
  const of = (name: string) => median(steps.map((each) => each[name] ?? 0));
  return {
    ...{ command, measurements, summary: summarize(measurements, cores, rounds), storedBytes: median(storedBytes) },
    ...(names.length > 0 && { steps: Object.fromEntries(names.map((name) => [name, of(name)])) }),
  };
}
