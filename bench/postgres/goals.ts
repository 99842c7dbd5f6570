// What Holdfast wants to be beside pgBackRest, and whether a run shows it. Ratios within one run, and its own limits of memory and of lag.

import { MEMORY_MIB, type Verdict, verdict } from '../lib/goals.ts';
import { median } from '../lib/statistics.ts';
import { type Work, works, workTitles } from './contender.ts';
import type { Burst, ContenderResult, Load, PostgresResult } from './result.ts';

/** Wall time, as a part of pgBackRest's: far ahead where changed blocks are known and where data is realistic, ahead everywhere. */
const limits = { full: 0.8, incremental: 0.6, restore: 1, verify: 1, recovery: 1 } satisfies Partial<
  Record<Work, number>
>;
/** Added bytes of an incremental backup, to those of `pg_basebackup --incremental`: near them. */
const ADDED = 1.25;
const LAG_P99_S = 2;
/** Of a recovery's time, in which its server waited for log that was not there yet. */
const STARVED_PERCENT = 2;

export function judge(result: PostgresResult): Verdict[] {
  const of = (name: string) => result.contenders.find((each) => each.name === name);
  const own = of('holdfast');
  if (own === undefined) return [];
  const peer = of('pgbackrest');
  return [
    ...(peer === undefined ? [] : faster(own, peer)),
    ...stored(own, peer, of('pg_basebackup')),
    ...log(own, peer, result.unburdened),
    ...memory(own),
  ];
}

function faster(own: ContenderResult, peer: ContenderResult): Verdict[] {
  return Object.entries(limits).flatMap(([name, limit]) => {
    const work = name as keyof typeof limits;
    const [ours, theirs] = [own.works[work], peer.works[work]];
    if (ours === undefined || theirs === undefined) return [];
    const ratio = ours.summary.wallS / theirs.summary.wallS;
    return [verdict(`${workTitles[work]}: wall time, to pgbackrest`, ratio, limit, '×', work)];
  });
}

function stored(own: ContenderResult, peer?: ContenderResult, floor?: ContenderResult): Verdict[] {
  const verdicts: Verdict[] = [];
  const to = (work: Work, other: ContenderResult | undefined, limit: number) => {
    const [ours, theirs] = [own.works[work]?.storedBytes, other?.works[work]?.storedBytes];
    if (ours === undefined || theirs === undefined || other === undefined) return;
    verdicts.push(verdict(`${workTitles[work]}: bytes added, to ${other.name}`, ours / theirs, limit, '×'));
  };
  to('full', peer, 1);
  to('incremental', peer, 1);
  to('incremental', floor, ADDED);
  return verdicts;
}

function log(own: ContenderResult, peer: ContenderResult | undefined, unburdened: readonly Load[]): Verdict[] {
  const verdicts: Verdict[] = [];
  if (peer !== undefined && own.bursts.length > 0) {
    const ratio = (seconds: (burst: Burst) => number) =>
      median(own.bursts.map(seconds)) / median(peer.bursts.map(seconds));
    verdicts.push(verdict('burst of log: time until durable, to pgbackrest', ratio(perByte('wallS')), 1, '×', 'burst'));
    verdicts.push(
      verdict('log kept before: time until durable, to pgbackrest', ratio(perByte('backlogS')), 1, '×', 'kept'),
    );
  }
  const lags = own.loads.flatMap(({ lag }) => (lag === undefined ? [] : [lag.p99S]));
  if (lags.length > 0)
    verdicts.push(verdict('lag of the log under pgbench, p99', median(lags), LAG_P99_S, 's', 'burst'));
  if (peer !== undefined && unburdened.length > 0) {
    const [ours, theirs] = [overheadPercent(own.loads, unburdened), overheadPercent(peer.loads, unburdened)];
    verdicts.push(verdict("transactions lost to taking the log, at most pgbackrest's", ours, theirs, '%', 'burst'));
  }
  const { recovery } = own.works;
  const starvedMs = recovery?.steps?.starved;
  if (recovery !== undefined && starvedMs !== undefined) {
    const percent = (starvedMs / 1000 / recovery.summary.wallS) * 100;
    verdicts.push(
      verdict('recovery: replay waits for log that is not there', percent, STARVED_PERCENT, '%', 'recovery'),
    );
  }
  return verdicts;
}

export function perByte(what: 'wallS' | 'backlogS' | 'behindS'): (burst: Burst) => number {
  return (burst) => burst[what] / burst.bytes;
}

/** Of all transactions, those that are not done because of the log; below 0 it is lost in the machine's own wobble. */
export function overheadPercent(loads: readonly Load[], unburdened: readonly Load[]): number {
  const tps = (of: readonly Load[]) => median(of.map((each) => each.tps));
  return (1 - tps(loads) / tps(unburdened)) * 100;
}

function memory(own: ContenderResult): Verdict[] {
  return works.flatMap((work) => {
    const found = own.works[work];
    if (found === undefined) return [];
    return [verdict(`${workTitles[work]}: peak memory`, found.summary.peakRssBytes / 2 ** 20, MEMORY_MIB, 'MiB')];
  });
}
