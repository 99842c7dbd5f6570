// What Holdfast's vault wants to be among its peers, and whether a run shows it. Only ratios within one run are goals, and its own limit of memory.

import { type Work, works, workTitles } from './contender.ts';
import type { ContenderResult, VaultResult } from './result.ts';

export interface Verdict {
  readonly goal: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: '×' | 'MiB';
  readonly isMet: boolean;
}

/** The peers that do the same: deduplicated, authenticated, any snapshot by itself. tar stands beside them for its speed only. */
const equals = ['restic', 'borg'];
/** docs/architecture.md and the design: the data path's memory does not grow with the data. */
const MEMORY_MIB = 512;
/** Chunks are cut a little differently by everybody. */
const STORED = 1.03;

export function judge(result: VaultResult): Verdict[] {
  const holdfast = result.contenders.find((each) => each.name === 'holdfast');
  const peers = result.contenders.filter((each) => equals.includes(each.name));
  if (!holdfast) return [];
  const verdicts: Verdict[] = [];
  for (const work of works) {
    if (peers.length > 0) verdicts.push(fasterThanAll(work, holdfast, peers));
    const value = holdfast.works[work].summary.peakRssBytes / 2 ** 20;
    verdicts.push(verdict(`${workTitles[work]}: peak memory`, value, MEMORY_MIB, 'MiB'));
  }
  if (peers.length > 0) {
    for (const work of ['first', 'changed'] as const) {
      const least = Math.min(...peers.map((peer) => peer.works[work].storedBytes));
      const ratio = holdfast.works[work].storedBytes / least;
      verdicts.push(verdict(`${workTitles[work]}: bytes stored, to the smallest peer's`, ratio, STORED, '×'));
    }
  }
  return verdicts;
}

function fasterThanAll(work: Work, holdfast: ContenderResult, peers: readonly ContenderResult[]): Verdict {
  const best = Math.min(...peers.map((peer) => peer.works[work].summary.wallS));
  const ratio = holdfast.works[work].summary.wallS / best;
  return verdict(`${workTitles[work]}: wall time, to the faster of ${equals.join(' and ')}`, ratio, 1, '×');
}

export function verdict(goal: string, value: number, limit: number, unit: Verdict['unit']): Verdict {
  return { goal, value, limit, unit, isMet: value <= limit };
}
