// When log was durable, and what follows from that: how long a commit was only on the server.

import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../../src/errors/index.ts';
import { percentile } from '../lib/statistics.ts';
import type { Arrival, LogService } from './contender.ts';

const lookMs = 20;
const patienceMs = 300_000;

/** Resolves with the time at which everything in front of `lsn` was durable. */
export async function durableAt(service: LogService, lsn: bigint): Promise<number> {
  for (const giveUpAt = Date.now() + patienceMs; ; await sleep(lookMs)) {
    const found = (await service.arrivals()).find((each) => each.lsn >= lsn);
    if (found !== undefined) return found.atMs;
    if (Date.now() > giveUpAt) fail('CHECK_FAILED', `the log was not taken within ${patienceMs / 1000} s`);
  }
}

/** What came late holds back what came before it out of turn: files are written side by side. */
export function inOrder(arrivals: readonly Arrival[]): Arrival[] {
  const sorted = [...arrivals].sort((a, b) => (a.lsn < b.lsn ? -1 : a.lsn > b.lsn ? 1 : 0));
  let latestMs = Number.NEGATIVE_INFINITY;
  return sorted.map(({ lsn, atMs }) => {
    latestMs = Math.max(latestMs, atMs);
    return { lsn, atMs: latestMs };
  });
}

/** A commit that its client knew of at `atMs`; its record lies in front of `lsn`. */
export interface Probe {
  readonly lsn: bigint;
  readonly atMs: number;
}

export interface Lag {
  readonly probes: number;
  /** Of which nobody knows when they became durable: the run was over before. */
  readonly leftOut: number;
  readonly p50S: number;
  readonly p99S: number;
  readonly greatestS: number;
}

/** `undefined` when no commit became durable. */
export function lagOf(probes: readonly Probe[], arrivals: readonly Arrival[]): Lag | undefined {
  const seconds = probes.flatMap(({ lsn, atMs }) => {
    const arrival = arrivals.find((each) => each.lsn >= lsn);
    // One that the server waited for is durable before its client knows of it.
    return arrival === undefined ? [] : [Math.max(0, arrival.atMs - atMs) / 1000];
  });
  if (seconds.length === 0) return undefined;
  return {
    probes: probes.length,
    leftOut: probes.length - seconds.length,
    p50S: percentile(seconds, 0.5),
    p99S: percentile(seconds, 0.99),
    greatestS: Math.max(...seconds),
  };
}
