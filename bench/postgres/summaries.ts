// The figures of all rounds, summed up for the report.

import type { Measurement } from '../lib/measure.ts';
import { countedOf, foreignShareOf, median, type Summary } from '../lib/statistics.ts';
import { summarizeWork } from '../lib/taken.ts';
import { type Contender, type Work, works } from './contender.ts';
import type { ContenderResult, PostgresResult, WorkResult } from './result.ts';
import type { Taken } from './rounds.ts';

interface Measured {
  readonly measurement: Measurement;
}

/** `rounds`: as many as were asked for. */
export function summarizeContender(contender: Contender, taken: Taken, cores: number, rounds: number): ContenderResult {
  const { name, version, options } = contender;
  const found: Partial<Record<Work, WorkResult>> = {};
  for (const work of works) {
    const of = taken.works[work];
    if (of === undefined) continue;
    const waitedS = median(of.measurements.map((each) => each.waitedS));
    found[work] = { ...summarizeWork(of, cores, rounds), waitedS };
  }
  const [bursts, loads] = [counted(taken.bursts, cores, rounds), counted(taken.loads, cores, rounds)];
  return { name, version, options, works: found, bursts, loads };
}

/** Those that count, where there are as many quiet ones as were asked for. */
export function counted<Each extends Measured>(all: readonly Each[], cores: number, rounds: number): Each[] {
  const measurements = all.map(({ measurement }) => measurement);
  const counting = new Set(countedOf(measurements, cores, rounds));
  return all.filter(({ measurement }) => counting.has(measurement));
}

/** Of everything that was measured and counts. */
export function noiseOf({
  contenders,
  unburdened,
  machine,
  setAside,
}: Pick<PostgresResult, 'contenders' | 'unburdened' | 'machine' | 'setAside'>): Pick<
  Summary,
  'foreignShare' | 'setAside'
>[] {
  const log = [...unburdened, ...contenders.flatMap(({ bursts, loads }) => [...bursts, ...loads])];
  const shares = log.map(({ measurement }) => foreignShareOf(measurement, machine.cores));
  const ofWorks = contenders.flatMap(({ works: found }) => Object.values(found).map(({ summary }) => summary));
  return [...ofWorks, { foreignShare: Math.max(0, ...shares), setAside }];
}
