// As many rounds as were asked for, and more while noise has spoilt some of their measurements.

import type { Measurement } from './measure.ts';
import { quietOnes } from './statistics.ts';

/** A machine that is not quiet after twice as many rounds is not a quiet machine. */
const MOST = 2;

/** Whoever follows whom changes from round to round. */
export function turnOf<Contender>(contenders: readonly Contender[], round: number): Contender[] {
  const first = round % contenders.length;
  return [...contenders.slice(first), ...contenders.slice(0, first)];
}

/** `taken`: each list of measurements that is to hold `wanted` quiet ones. Resolves to the number of rounds. */
export async function inRounds(
  wanted: number,
  cores: number,
  doRound: (round: number) => Promise<void>,
  taken: () => readonly (readonly Measurement[])[],
): Promise<number> {
  const isEnough = () => taken().every((each) => quietOnes(each, cores).length >= wanted);
  let round = 0;
  for (; round < wanted || (round < wanted * MOST && !isEnough()); round++) await doRound(round);
  return round;
}
