// What time a file system gives to what is changed from now on: its clock ticks coarsely, need not be this machine's, and may be set back.

import { closeSync, fstatSync, futimesSync, openSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setTimes } from '../../system/index.ts';
import type { RunPlace } from './place.ts';

/** Longer than the coarsest clock of a usual file system (FAT: 2 s) needs to tick. */
const LONGEST_TICK_MS = 5_000;
/** Between both clocks, as long as nobody takes the processor away. */
const TOGETHER_MS = 20;
const MOST_READINGS = 20;

/** What the clock showed. */
export interface Reading {
  readonly ns: bigint;
  /** Which life of this machine it was, and how many milliseconds of it, which nobody can set back: `boot/ms`. Undefined in journals of earlier versions, and where nobody says; `still` where the clock does not move. */
  readonly at: string | undefined;
}

export const STILL = 'still';

/** What the journal keeps of the clock with the list of changes; one of an earlier version has nothing of it. */
export interface ListedFrom {
  /** What was changed by then is in the list, or was right. */
  readonly beganNs?: string;
  readonly beganAt?: string;
  readonly grainNs?: string;
}

/** What it keeps with the exchange. */
export interface ExchangedFrom {
  /** What was changed by then was changed before any name was exchanged. */
  readonly fromNs: string;
  readonly fromAt?: string;
  /** It was begun by an earlier attempt. */
  readonly isResumed?: true;
}

/** And when that is done. */
export interface DoneAt {
  /** What is changed from then on is changed by others. */
  readonly doneNs: string;
  readonly doneAt?: string;
}

export async function listedFrom(place: Pick<RunPlace, 'directory'>): Promise<ListedFrom> {
  const { ns, at } = await afterNow(place);
  return { beganNs: `${ns}`, ...(at && { beganAt: at }), grainNs: `${grainIn(place)}` };
}

export async function exchangedFrom(place: Pick<RunPlace, 'directory'>): Promise<ExchangedFrom> {
  const { ns, at } = await afterNow(place);
  return { fromNs: `${ns}`, ...(at && { fromAt: at }) };
}

export async function doneAt(place: Pick<RunPlace, 'directory'>): Promise<DoneAt> {
  const { ns, at } = await afterNow(place);
  return { doneNs: `${ns}`, ...(at && { doneAt: at }) };
}

export function grainOf({ grainNs = '1' }: ListedFrom): bigint {
  return BigInt(grainNs);
}

/** Whether the times of inodes tell nothing here. */
export function standsStill({ at }: Pick<Reading, 'at'>): boolean {
  return at === STILL;
}

/** Later than everything that was changed before this was called, and no later than what is changed after it resolves, as long as the clock is not set back. */
export async function afterNow(
  { directory }: Pick<RunPlace, 'directory'>,
  name = 'clock',
  longestTickMs = LONGEST_TICK_MS,
): Promise<Reading> {
  const file = `${directory}/${name}`;
  let before = changeTime(file);
  try {
    for (const giveUpAt = performance.now() + longestTickMs; ; await sleep(2)) {
      const { ns, at } = readingOf(file);
      if (ns > before) return { ns, at };
      // It was set back right now.
      before = ns;
      if (performance.now() > giveUpAt) return { ns, at: STILL };
    }
  } finally {
    rmSync(file, { force: true });
  }
}

/** Both clocks at one instant. */
function readingOf(file: string): Reading {
  for (let number = 1; ; number++) {
    const before = upTime();
    const ns = changeTime(file);
    const after = upTime();
    if (before === undefined || after === undefined) return { ns, at: undefined };
    const isTogether = after.ms - before.ms <= TOGETHER_MS;
    if (isTogether || number >= MOST_READINGS) return { ns, at: `${before.boot}/${before.ms}` };
  }
}

/** Since the machine was started, sleep included (proc(5)). Undefined where a process is not shown it (`ProcSubset=pid`). */
function upTime(): { readonly boot: string; readonly ms: number } | undefined {
  try {
    const [seconds = '0'] = readFileSync('/proc/uptime', 'utf8').split(' ');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { boot, ms: Math.round(Number(seconds) * 1000) };
  } catch {
    return undefined;
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
