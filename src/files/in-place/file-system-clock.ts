// What time a file system gives to what is changed from now on: its clock ticks coarsely, and need not be this machine's.

import { closeSync, fstatSync, futimesSync, openSync, unlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setTimes } from '../../system/index.ts';
import type { RunPlace } from './place.ts';

/** Longer than the coarsest clock of a usual file system (FAT: 2 s) needs to tick. */
const LONGEST_TICK_MS = 5_000;

/** What the journal keeps of the clock with the list of changes; one of an earlier version has nothing of it. */
export interface ListedFrom {
  /** What was changed by then is in the list, or was right. */
  readonly beganNs?: string;
  readonly grainNs?: string;
}

/** What it keeps with the exchange. */
export interface ExchangedFrom {
  /** What was changed by then was changed before any name was exchanged. */
  readonly fromNs: string;
  /** It was begun by an earlier attempt. */
  readonly isResumed?: true;
}

export async function listedFrom(place: Pick<RunPlace, 'directory'>): Promise<Required<ListedFrom>> {
  return { beganNs: `${await afterNow(place)}`, grainNs: `${grainIn(place)}` };
}

export function grainOf({ grainNs = '1' }: ListedFrom): bigint {
  return BigInt(grainNs);
}

/** Later than everything that was changed before this was called, and no later than what is changed after it resolves. */
export async function afterNow({ directory }: Pick<RunPlace, 'directory'>): Promise<bigint> {
  const file = `${directory}/clock`;
  const first = changeTime(file);
  try {
    for (const giveUpAt = performance.now() + LONGEST_TICK_MS; ; await sleep(2)) {
      const time = changeTime(file);
      if (time > first || performance.now() > giveUpAt) return time;
    }
  } finally {
    unlinkSync(file);
  }
}

/** Steps that file systems keep times in. */
const GRAINS_NS = [1n, 100n, 1_000n, 1_000_000n, 1_000_000_000n, 2_000_000_000n];
const ODD_NS = 1_234_567_891_234_567_891n;

function grainIn({ directory }: Pick<RunPlace, 'directory'>): bigint {
  const file = `${directory}/clock`;
  const handle = openSync(file, 'w', 0o600);
  try {
    setTimes(handle, { atimeNs: ODD_NS, mtimeNs: ODD_NS });
    const { mtimeNs } = fstatSync(handle, { bigint: true });
    return GRAINS_NS.find((grain) => ODD_NS - (ODD_NS % grain) === mtimeNs) ?? 1n;
  } finally {
    closeSync(handle);
    unlinkSync(file);
  }
}

function changeTime(file: string): bigint {
  const handle = openSync(file, 'w', 0o600);
  try {
    futimesSync(handle, 0, 0);
    return fstatSync(handle, { bigint: true }).ctimeNs;
  } finally {
    closeSync(handle);
  }
}
