// The figures of all rounds, summed up for the report.

import type { Measurement } from '../lib/measure.ts';
import { median, summarize } from '../lib/statistics.ts';
import { type Contender, type Work, works } from './contender.ts';
import type { ContenderResult, Load, WorkResult } from './result.ts';
import type { Taken, TakenWork } from './rounds.ts';

export function summarizeContender(contender: Contender, taken: Taken, cores: number): ContenderResult {
  const { name, version, options } = contender;
  const found: Partial<Record<Work, WorkResult>> = {};
  for (const work of works) {
    const of = taken.works[work];
    if (of !== undefined) found[work] = summarizeWork(of, cores);
  }
  return { name, version, options, works: found, bursts: taken.bursts, loads: taken.loads };
}

function summarizeWork({ measurements, storedBytes, steps, command }: TakenWork, cores: number): WorkResult {
  const names = Object.keys(steps[0] ?? {});
  const of = (name: string) => median(steps.map((each) => each[name] ?? 0));
  return {
    ...{ command, measurements, summary: summarize(measurements, cores), storedBytes: median(storedBytes) },
    waitedS: median(measurements.map((each) => each.waitedS)),
    ...(names.length > 0 && { steps: Object.fromEntries(names.map((name) => [name, of(name)])) }),
  };
}

/** What others used of the machine, of every measurement of a run. */
export function sharesOf(contenders: readonly ContenderResult[], unburdened: readonly Load[], cores: number): number[] {
  const all: Measurement[] = [...unburdened.map(({ measurement }) => measurement)];
  for (const { works: found, bursts, loads } of contenders) {
    for (const each of Object.values(found)) all.push(...each.measurements);
    for (const { measurement } of [...bursts, ...loads]) all.push(measurement);
  }
  return all.map(({ foreignCpuS, wallS }) => foreignCpuS / (wallS * cores));
}
