// What Holdfast wants to be beside the server's own tools, and whether a run shows it. Ratios within one run, and its own limit of memory.

import { MEMORY_MIB, type Verdict, verdict } from '../lib/goals.ts';
import { works, workTitles } from './contender.ts';
import type { ContenderResult, RedisResult } from './result.ts';

/** Wall time, to each peer that does the same: nearly as fast as what protects one file once, without deduplication and without authentication. */
const WALL = 1.1;

/** Whose time is compared with whose: both ways of a capture have their own peer, the usual one both. */
const rivals: Readonly<Record<string, readonly string[]>> = {
  holdfast: ['redis_cli', 'bgsave'],
  holdfast_bgsave: ['bgsave'],
};

/** `by`: whose figure it is. */
export type RedisVerdict = Verdict & { readonly by: string };

export function judge({ contenders }: RedisResult): RedisVerdict[] {
  return Object.entries(rivals).flatMap(([name, others]) => {
    const own = contenders.find((each) => each.name === name);
    if (own === undefined) return [];
    const peers = contenders.filter((each) => others.includes(each.name));
    const verdicts = [...peers.flatMap((peer) => faster(own, peer)), ...memory(own)];
    return verdicts.map((each) => ({ ...each, by: name }));
  });
}

function faster(own: ContenderResult, peer: ContenderResult): Verdict[] {
  return works.flatMap((work) => {
    const [ours, theirs] = [own.works[work], peer.works[work]];
    if (ours === undefined || theirs === undefined) return [];
    const ratio = ours.summary.wallS / theirs.summary.wallS;
    return [verdict(`${goalOf(own)}${workTitles[work]}: wall time, to ${peer.name}`, ratio, WALL, '×', work)];
  });
}

function memory(own: ContenderResult): Verdict[] {
  return works.flatMap((work) => {
    const found = own.works[work];
    if (found === undefined) return [];
    const mebibytes = found.summary.peakRssBytes / 2 ** 20;
    return [verdict(`${goalOf(own)}${workTitles[work]}: peak memory`, mebibytes, MEMORY_MIB, 'MiB')];
  });
}

function goalOf({ name }: ContenderResult): string {
  return name === 'holdfast' ? '' : `${name}, `;
}
