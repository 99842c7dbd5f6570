// What Holdfast's vault wants to be among its peers, and whether a run shows it. Only ratios within one run are goals, and its own limit of memory.

import { MEMORY_MIB, type Verdict, verdict } from '../lib/goals.ts';
import { type Work, works, workTitles } from './contender.ts';
import type { ContenderResult, VaultResult } from './result.ts';

/** Wall time, as a part of the peer's. The first backup and the unchanged pass must be far ahead of what deduplicates as we do. */
const limits: Readonly<Record<Work, Readonly<Record<string, number>>>> = {
  first: { restic: 0.6, borg: 1, tar: 1 },
  unchanged: { restic: 0.6, borg: 0.6, tar: 1 },
  changed: { restic: 1, borg: 1, tar: 1 },
  restore: { restic: 1, borg: 1, tar: 1 },
  check: { restic: 1, borg: 1, tar: 1 },
};
/** No more bytes than the best of them. */
const STORED = 1;

export function judge(result: VaultResult): Verdict[] {
  const holdfast = result.contenders.find((each) => each.name === 'holdfast');
  const peers = result.contenders.filter((each) => each.name !== 'holdfast');
  if (!holdfast) return [];
  const verdicts: Verdict[] = [];
  for (const work of works) {
    for (const peer of peers) verdicts.push(faster(work, holdfast, peer));
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

function faster(work: Work, holdfast: ContenderResult, peer: ContenderResult): Verdict {
  const ratio = holdfast.works[work].summary.wallS / peer.works[work].summary.wallS;
  return verdict(`${workTitles[work]}: wall time, to ${peer.name}`, ratio, limits[work][peer.name] ?? 1, '×');
}
