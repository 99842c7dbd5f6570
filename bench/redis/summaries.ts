// The figures of all rounds, summed up for the report.

import { median, summarize } from '../lib/statistics.ts';
import { type Contender, type Work, works } from './contender.ts';
import type { ContenderResult, WorkResult } from './result.ts';
import type { Taken, TakenWork } from './rounds.ts';

/** `rounds`: as many as were asked for. */
export function summarizeContender(contender: Contender, taken: Taken, cores: number, rounds: number): ContenderResult {
  const { name, version, options, isChecked } = contender;
  const found: Partial<Record<Work, WorkResult>> = {};
  for (const work of works) {
    const of = taken[work];
    if (of !== undefined) found[work] = summarizeWork(of, cores, rounds);
  }
  return { name, version, options, isChecked, works: found };
}

function summarizeWork(
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
