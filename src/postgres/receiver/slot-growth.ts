// How fast the log that a slot keeps grows: looks of the last minutes, and what follows from them.

import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { lsnDistance } from '../../domain/lsn.ts';
import type { SlotPressure } from '../../domain/slot-pressure.ts';
import type { SlotFacts } from './slot.ts';

/** Long enough to see through a checkpoint, short enough to see a burst. */
const WINDOW_MS = 5 * 60_000;
/** Two looks that are closer say nothing of a rate. */
const SHORTEST_MS = 5_000;
/** What a receiver that keeps up may leave behind for a moment: four segments of the usual size. */
const STILL_BYTES = 64 * 1024 ** 2;

interface Look {
  readonly atMs: number;
  readonly facts: SlotFacts;
}

export class SlotGrowth {
  private looks: Look[] = [];

  /** `atMs`: on a clock that only runs forward. A slot that was made again begins anew. */
  note(atMs: number, facts: SlotFacts | undefined): void {
    if (facts?.retainedBytes === undefined) {
      this.looks = [];
      return;
    }
    this.looks = [...this.looks.filter((look) => atMs - look.atMs <= WINDOW_MS), { atMs, facts }];
  }

  /** `undefined` while nothing is known of the slot. */
  pressure(freeBytes: number | undefined): SlotPressure | undefined {
    const [first, last] = [this.looks[0], this.looks.at(-1)];
    const retainedBytes = last?.facts.retainedBytes;
    if (first === undefined || last === undefined || retainedBytes === undefined) return undefined;
    const { name: slot, safeBytes } = last.facts;
    const seconds = (last.atMs - first.atMs) / 1000;
    const isKnown = seconds * 1000 >= SHORTEST_MS;
    const written = isKnown ? writtenBetween(first.facts, last.facts) / seconds : undefined;
    const growth = isKnown ? (retainedBytes - (first.facts.retainedBytes ?? 0)) / seconds : 0;
    const isGrowing = growth > 0 && retainedBytes > STILL_BYTES;
    return {
      slot,
      retainedBytes,
      ...(written === undefined ? {} : { writtenBytesPerSecond: Math.round(written) }),
      ...(safeBytes === undefined ? {} : { limitBytes: retainedBytes + Math.max(0, safeBytes) }),
      ...(isGrowing && safeBytes !== undefined ? { lostInSeconds: Math.max(0, safeBytes) / growth } : {}),
      ...(freeBytes === undefined ? {} : { freeBytes }),
      ...(isGrowing && freeBytes !== undefined ? { fullInSeconds: freeBytes / growth } : {}),
    };
  }
}

function writtenBetween(first: SlotFacts, last: SlotFacts): number {
  if (first.serverLsn === undefined || last.serverLsn === undefined) return 0;
  return Math.max(0, lsnDistance(first.serverLsn, last.serverLsn));
}

/** Of the file system of `pg_wal`, for those who may see it; `undefined` where the directory is not here or not readable. */
export async function freeForLog(dataDirectory: string | undefined): Promise<number | undefined> {
  if (dataDirectory === undefined) return undefined;
  try {
    const { bavail, bsize } = await statfs(path.join(dataDirectory, 'pg_wal'));
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
