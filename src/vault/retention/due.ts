// How far a tombstone is: waiting for its grace, due, incomplete, or over.

import { type Moment, momentFromDate, momentFromUnixMicros, unixMicros } from '../../domain/moment.ts';
import type { TombstoneSummary } from '../../domain/retention-report.ts';
import { parseManifestKey } from '../layout.ts';
import { isEmptyList, keysOf, type Tombstone } from './tombstone.ts';

/** When its grace is over: counted from the last copy that got it. Absent while a copy lacks it. */
export function dueAt(tombstone: Tombstone, copies: readonly string[]): Moment | undefined {
  const times = [tombstone.at];
  for (const copy of copies) {
    const stored = tombstone.storedAt.get(copy);
    if (stored === undefined) return undefined;
    times.push(momentFromDate(stored));
  }
  return later(times.sort().at(-1) as Moment, tombstone.graceSeconds);
}

export function isDue(tombstone: Tombstone, copies: readonly string[], now: Moment): boolean {
  const due = dueAt(tombstone, copies);
  return due !== undefined && due <= now;
}

/** Every configured copy holds nothing of it any more, or nothing is named any more. */
export function isSwept({ list, swept }: Tombstone, copies: readonly string[]): boolean {
  return isEmptyList(list) || copies.every((copy) => swept.has(copy));
}

/** It stays for one more grace, for a copy that somebody puts back from an older state. */
export function isOver(tombstone: Tombstone, copies: readonly string[], now: Moment): boolean {
  const due = dueAt(tombstone, copies);
  return isSwept(tombstone, copies) && due !== undefined && later(due, tombstone.graceSeconds) <= now;
}

export function summarizeTombstone(tombstone: Tombstone, copies: readonly string[], now: Moment): TombstoneSummary {
  const { id, at, by, reason, list, swept } = tombstone;
  const due = dueAt(tombstone, copies);
  const waiting = due === undefined ? 'incomplete' : due <= now ? 'due' : 'waiting';
  return {
    id,
    at,
    ...(due === undefined ? {} : { due }),
    state: isSwept(tombstone, copies) ? 'swept' : waiting,
    by,
    reason,
    snapshots: list.manifests.flatMap(([key]) => parseManifestKey(key)?.id ?? []),
    generations: list.generations.length,
    packs: list.packs.length,
    logObjects: list.log.length,
    bytes: [...keysOf(list)].reduce((sum, [, size]) => sum + size, 0),
    swept: [...swept].sort(),
  };
}

function later(moment: Moment, seconds: number): Moment {
  return momentFromUnixMicros(unixMicros(moment) + BigInt(Math.round(seconds * 1e6)));
}
