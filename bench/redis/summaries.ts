// The figures of all rounds, summed up for the report.

import { summarizeWork, type WorkResult } from '../lib/taken.ts';
import { type Contender, type Work, works } from './contender.ts';
import type { ContenderResult } from './result.ts';
import type { Taken } from './rounds.ts';

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
